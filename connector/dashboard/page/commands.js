// Order commands: how they ended, the last that failed with what to do, and the dead letters.

import { byId, el, holding, keyed, text } from "./dom.js";
import { about, commands, each } from "./model.js";
import { count, moment } from "./words.js";

const OUTCOMES = ["succeeded", "rejected", "unknown"];
const MOST = 20;

export function render(now) {
  table();
  cards("failures", failures(), failure, now, "None failed.");
  cards("letters", rowsOf("letters"), letter, now, "No dead letters.");
}

function table() {
  const rows = Object.entries(commands()).sort();
  keyed(byId("commands"), rows.length ? ["table"] : ["none"], (each) => each, make, (node) => {
    if (node.parts) keyed(node.parts.body, rows, ([name]) => name, makeRow, updateRow);
  });
}

function make(which) {
  if (which === "none") return el("p", { class: "empty" }, "No commands yet in the last hour.");
  const body = el("tbody");
  const head = el("tr", {}, el("th", { scope: "col" }, "Command"), ...OUTCOMES.map((name) => el("th", { scope: "col", class: "number" }, name)));
  const node = el("table", {}, el("caption", { class: "unseen" }, "Order commands of the last hour by outcome"), el("thead", {}, head), body);
  return holding(node, { body });
}

function makeRow([name]) {
  const cells = OUTCOMES.map((outcome) => el("td", { class: `number ${outcome}` }));
  return holding(el("tr", {}, el("th", { scope: "row" }, name), ...cells), { cells });
}

function updateRow(node, [, counts]) {
  OUTCOMES.forEach((name, place) => {
    text(node.parts.cells[place], count(counts[name] ?? 0));
    node.parts.cells[place].classList.toggle("some", Boolean(counts[name]));
  });
}

function rowsOf(name) {
  return each(name).flatMap(([administration, value]) => (value.latest ?? value).map((row) => ({ administration, ...row })));
}

function isUnknown(row) {
  return row.outcome === "unknown";
}

/** The last that failed, and those that nobody has solved however old they are. */
function failures() {
  const found = new Map([...rowsOf("open"), ...rowsOf("failures")].map((row) => [JSON.stringify([row.administration, row.order, row.commandId]), row]));
  return [...found.values()];
}

/** The newest of all administrations, as cards. */
function cards(id, rows, make, now, none) {
  rows.sort((one, other) => isUnknown(other) - isUnknown(one) || other.at - one.at); // what nobody has solved is never pushed off
  const shown = rows.slice(0, Math.max(MOST, rows.filter(isUnknown).length)).map((row) => ({ key: JSON.stringify(row), row }));
  keyed(byId(id), shown.length ? shown : [{ key: "none" }], (each) => each.key, ({ row }) =>
    row ? make(row, now) : el("li", { class: "empty" }, none),
  (node, { row }) => {
    if (row) text(node.querySelector("time"), moment(row.at, now)); // after midnight it is another day's
  });
}

function failure(row, now) {
  return el(
    "li",
    { class: row.outcome === "unknown" ? "bad" : "warn" },
    top(row, now, el("span", { class: `badge ${row.outcome === "unknown" ? "bad" : "warn"}` }, row.outcome), el("strong", {}, row.command ?? "?"), order(row.order)),
    el("p", { class: "reason" }, code(row.reason ?? "no reason given"), row.message ? ` ${row.message}` : ""),
    el("p", {}, row.advice),
  );
}

function letter(row, now) {
  return el(
    "li",
    {},
    top(row, now, el("span", { class: "badge warn" }, row.stage || "no stage"), el("strong", {}, row.key || "no key"), row.topic),
    el("p", { class: "reason" }, row.reason || "no reason given"),
    el("p", {}, code(row.show)),
    row.redrive ? el("p", {}, code(row.redrive)) : null,
  );
}

function top(row, now, ...rest) {
  const where = about.administrations.length > 1 ? [row.administration] : [];
  const time = el("time", { datetime: new Date(row.at * 1000).toISOString(), class: "dim" }, moment(row.at, now));
  return el("p", { class: "top" }, time, ...[...where, ...rest].map((each) => (typeof each === "string" ? el("span", {}, each) : each)));
}

/** A link to an order's journey. */
export function order(name) {
  return name ? el("a", { href: `#order=${encodeURIComponent(name)}` }, name) : "no key";
}

function code(words) {
  return el("code", {}, words);
}
