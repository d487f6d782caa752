// The figures of today and the orders that moved last: what `mplus-connector views` makes of the topics.

import { bars } from "./chart.js";
import { order } from "./commands.js";
import { attribute, byId, el, holding, keyed, text } from "./dom.js";
import { standing } from "./journey.js";
import { about, each, sum } from "./model.js";
import { ago, count, moment, money, plural, spaced } from "./words.js";

const MOST = 10;

export function render(now) {
  const parts = each("today").map(([, value]) => value);
  text(byId("today-since"), parts.length ? `since ${moment(parts[0].since, now)}` : "");
  keyed(byId("today"), [parts.length ? "figures" : "none"], (each) => each, make, (node) => {
    if (node.parts) update(node.parts, parts);
  });
  orders(now);
}

function make(which) {
  if (which === "none") return el("p", { class: "empty" }, "No figures yet: mplus-connector views counts them from the topics.");
  const figures = el("dl", { class: "figures" });
  const [minutes, hours] = [bars(60), bars(24)];
  const [minute, hour] = [el("figcaption"), el("figcaption")];
  const changes = el("ul", { class: "plain shares" });
  const node = el("div", {}, figures, el("figure", {}, minute, minutes), el("figure", {}, hour, hours), el("h3", {}, "Changes by entity"), changes);
  return holding(node, { figures, minutes, hours, minute, hour, changes });
}

function update(shown, parts) {
  const outcomes = Object.entries(total(parts, "commands"));
  const ended = (outcome) => count(sum(outcomes.filter(([name]) => name.endsWith(`.${outcome}`)).map(([, value]) => value)));
  const revenue = (name, of) => sum(parts.map((part) => part.revenue[name][of]));
  const left = total(parts, "aside");
  const aside = (name) => (left[name] ? `, ${count(left[name])} not counted: no date, no amount or a date to come` : "");
  const figures = [
    ["Ordered", money(revenue("ordered", "amount")), plural(revenue("ordered", "count"), "order") + aside("ordered")],
    ["Invoiced", money(revenue("invoiced", "amount")), plural(revenue("invoiced", "count"), "invoice") + aside("invoiced")],
    ["Commands", ended("succeeded"), `${ended("rejected")} rejected, ${ended("unknown")} unknown`],
  ];
  keyed(shown.figures, figures, ([name]) => name, makeFigure, (each, [, value, unit]) => {
    text(each.parts.value, value);
    text(each.parts.unit, unit);
  });
  draw(shown.minutes, shown.minute, parts, "minutes", "Changes a minute, the last hour");
  draw(shown.hours, shown.hour, parts, "hours", "Changes an hour, the last day");
  shares(shown.changes, total(parts, "changes"));
}

function makeFigure([name]) {
  const value = el("span", { class: "figure" });
  const unit = el("small", { class: "dim" });
  return holding(el("div", {}, el("dt", {}, name), el("dd", {}, value, unit)), { value, unit });
}

/** Of the last window that is over, in words; all of them as bars. */
function draw(chart, caption, parts, name, words) {
  const values = parts[0][name].changes.map((_, place) => sum(parts.map((part) => part[name].changes[place])));
  chart.draw(values);
  text(caption, `${words}: ${count(values[values.length - 2])} in the last full one, ${count(Math.max(...values))} at most`);
}

function total(parts, name) {
  const found = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part[name])) found[key] = (found[key] ?? 0) + value;
  }
  return found;
}

function shares(list, changes) {
  const rows = Object.entries(changes).sort((one, other) => other[1] - one[1]);
  keyed(list, rows, ([name]) => name, ([name]) => {
    const value = el("span", { class: "number" });
    return holding(el("li", {}, el("span", {}, spaced(name)), value), { value });
  }, (node, [, value]) => text(node.parts.value, count(value)));
}

function orders(now) {
  const parts = each("orders");
  const rows = parts.flatMap(([administration, value]) => value.latest.map((row) => ({ administration, ...row })));
  rows.sort((one, other) => (other.updatedAt > one.updatedAt ? 1 : -1));
  text(byId("orders-count"), `${plural(sum(parts.map(([, value]) => value.count)), "order")} can be found`);
  const shown = rows.length ? rows.slice(0, MOST) : [null];
  keyed(byId("orders"), shown, (row) => (row ? `${row.administration} ${row.key}` : "none"), makeOrder, (node, row) => {
    if (row) updateOrder(node, row, now);
  });
}

function makeOrder(row) {
  if (!row) return el("li", { class: "empty" }, "No orders yet: mplus-connector views follows them.");
  const [state, amount, age] = [el("span", { class: "badge" }), el("span", { class: "number" }), el("span", { class: "number dim" })];
  const where = about.administrations.length > 1 ? el("span", { class: "dim" }, row.administration) : null;
  return holding(el("li", { class: "order" }, order(row.key), where, state, amount, age), { state, amount, age });
}

function updateOrder(node, row, now) {
  attribute(node.parts.state, "class", `badge ${{ rejected: "warn", unknown: "bad", cancelled: "stale" }[row.state] ?? "good"}`);
  text(node.parts.state, standing(row));
  text(node.parts.amount, money(row.total));
  text(node.parts.age, ago(Math.max(0, now - Date.parse(row.updatedAt) / 1000)));
}
