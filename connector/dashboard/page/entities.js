// A table of entities per administration: state, backlog, age, rate, and how old each row is.

import { sparkline } from "./chart.js";
import { attribute, byId, el, holding, keyed, text } from "./dom.js";
import { about, isKnown, part, sum } from "./model.js";
import { ago, count, moment, NOTHING, rate, spaced, span } from "./words.js";

const POINTS = 60; // as the server keeps them: ten minutes
const OPEN = 3; // administrations up to which all tables are open from the start
const COLUMNS = [
  ["Entity", ""],
  ["State", ""],
  ["Backlog", "number charted", "Sync markers between the POS's head and what is in Kafka"],
  ["Oldest unread", "number", "Age of the oldest change that is not in Kafka yet"],
  ["Items/s", "number charted", "Over the last 30 seconds"],
  ["Position", "number wide", "Everything up to this sync marker is in Kafka"],
  ["Owner", "wide"],
  ["Reported", "number", "How old this row is"],
];

export function render(all) {
  const groups = about.administrations.map((name) => ({ name, rows: all.filter((row) => row.administration === name) }));
  keyed(byId("entities"), groups, (group) => group.name, make, update);
}

function make(group) {
  const head = COLUMNS.map(([title, kind, meaning]) =>
    el("th", { scope: "col", class: kind, title: meaning }, title),
  );
  const body = el("tbody");
  const table = el(
    "table",
    { class: "entities" },
    el("caption", { class: "unseen" }, `Entities of ${group.name}`),
    el("thead", {}, el("tr", {}, ...head)),
    body,
  );
  const told = el("span", { class: "dim" });
  const summary = el("summary", {}, el("strong", {}, group.name), " ", told);
  const node = el("details", { class: "group", open: about.administrations.length <= OPEN }, summary, table);
  node.addEventListener("toggle", () => update(node, node.parts.group));
  return holding(node, { body, told, summary, group });
}

function update(node, group) {
  node.parts.group = group;
  text(node.parts.told, summed(group.rows));
  attribute(node.parts.summary, "class", group.rows.some((row) => row.kind !== "good") ? "off" : "");
  if (node.open) keyed(node.parts.body, group.rows, (row) => row.entity, makeRow, updateRow);
}

/** "14 running, 2 stale; backlog 3": of those that are not stale. */
function summed(rows) {
  const states = new Map();
  for (const { shown } of rows) states.set(shown, (states.get(shown) ?? 0) + 1);
  const words = [...states].map(([shown, number]) => `${number} ${shown}`).join(", ");
  const live = rows.filter((row) => row.kind !== "stale");
  const known = live.filter(isKnown);
  const unknown = live.length - known.length ? `, unknown of ${live.length - known.length}` : "";
  return known.length ? `${words}; backlog ${count(sum(known.map((row) => row.backlog)))}${unknown}` : words;
}

function makeRow(row) {
  const state = el("span", { class: "badge" });
  const reason = el("small", { class: "reason" });
  const backlogs = sparkline("backlog", POINTS, 10);
  const rates = sparkline("rate", POINTS, 1);
  const cells = Object.fromEntries(["backlog", "age", "rate", "position", "owner", "old"].map((name) => [name, el("span")]));
  const node = el(
    "tr",
    {},
    el("th", { scope: "row" }, spaced(row.entity), reason),
    el("td", { class: "state" }, state),
    cell("Backlog", "number charted", cells.backlog, backlogs),
    cell("Oldest", "number", cells.age),
    cell("Items/s", "number charted", cells.rate, rates),
    cell("Position", "number wide", cells.position),
    cell("Owner", "wide", cells.owner),
    cell("Reported", "number", cells.old),
  );
  return holding(node, { state, reason, backlogs, rates, ...cells, trend: null });
}

/** On a phone the column's name stands in the cell. */
function cell(label, kind, ...content) {
  return el("td", { class: kind, "data-label": label }, ...content);
}

function updateRow(node, row) {
  draw(node.parts, part(`trend/${row.administration}/${row.entity}`));
  const second = row.old === null ? null : Math.floor(row.old);
  if (node.parts.told === row.told && node.parts.second === second && node.parts.kind === row.kind) return;
  Object.assign(node.parts, { told: row.told, second, kind: row.kind });
  attribute(node, "class", row.kind);
  attribute(node, "data-at", row.writtenAt);
  attribute(node.parts.state, "class", `badge ${row.kind}`);
  text(node.parts.state, row.shown);
  text(node.parts.reason, remark(row));
  text(node.parts.backlog, isKnown(row) ? count(row.backlog) : "unknown");
  text(node.parts.age, age(row));
  text(node.parts.rate, rate(row.rate));
  text(node.parts.position, count(row.position));
  text(node.parts.owner, row.owner ?? NOTHING);
  text(node.parts.old, row.old === null ? "never" : ago(row.old));
}

function remark(row) {
  return isKnown(row) ? (row.reason ?? "") : [row.reason, `backlog unknown since ${moment(row.unknownSince, row.at)}`].filter(Boolean).join("; ");
}

function age(row) {
  if (!isKnown(row)) return "unknown";
  return row.age > 0 ? span(row.age) : row.age === 0 ? "none" : NOTHING;
}

function draw(parts, trend) {
  if (!trend || trend === parts.trend) return;
  parts.trend = trend;
  parts.backlogs.draw(trend.backlog);
  parts.rates.draw(trend.rate);
}
