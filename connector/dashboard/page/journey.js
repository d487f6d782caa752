// An order's journey: found by its id, drawn as a path and a list, renewed while it is open.

import { byId, el, text } from "./dom.js";
import { about, each, part, sum } from "./model.js";
import { count, lapse, moment, money, plural, span } from "./words.js";

const AGAIN = 2000; // milliseconds between looks whether it went on
const PATH = ["commanded", "created", "deposit", "delivered", "invoiced", "paid"];
const OPTIONAL = new Set(["commanded", "deposit"]);
const ENDS = new Set(["rejected", "cancelled"]);
const KINDS = { rejected: "warn", refunded: "warn", cancelled: "stale", unknown: "bad", succeeded: "good" };

const PATIENCE = 15000; // milliseconds for an answer: the server gives up before

let last = { answer: null, day: "" }; // what was drawn, and on which day: times of day are of that one
let looked = 0; // searches so far: an older one that is still under way ends by itself
let tag = null;
let timer = null;

/** Show the order of this id, or nothing where it is empty. */
export async function show(name, now) {
  clearTimeout(timer);
  looked += 1;
  tag = null;
  byId("journey").hidden = !name;
  if (!name) return;
  text(byId("journey-title"), `Order ${name}`);
  byId("journey-body").replaceChildren(el("p", { class: "empty" }, "Looking…"));
  byId("journey").focus();
  await renew(looked, name, now);
}

async function renew(search, name, now) {
  let answer = null;
  try {
    const asked = { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) };
    const response = await fetch(`api/journeys?order=${encodeURIComponent(name)}`, asked);
    const latest = response.headers.get("ETag");
    if (latest === null || latest !== tag) answer = await response.json();
    if (search !== looked) return;
    tag = latest;
  } catch {
    if (tag === null) answer = { error: "The dashboard does not answer: it is tried again." };
  }
  if (search !== looked) return;
  const day = new Date((now() ?? 0) * 1000).toDateString();
  if (answer || day !== last.day) {
    last = { answer: answer ?? last.answer, day };
    draw(body(last.answer, now()));
  }
  timer = setTimeout(renew, AGAIN, search, name, now);
}

/** The same words again change nothing: focus, selection and screen readers are not disturbed. */
function draw(nodes) {
  const drawn = byId("journey-body");
  const [only] = nodes;
  if (nodes.length === 1 && drawn.children.length === 1 && drawn.firstChild.textContent === only.textContent) return;
  drawn.replaceChildren(...nodes);
}

function body(answer, now) {
  if (answer.error) return [el("p", { class: "empty" }, answer.error)];
  if (!answer.found.length) return [el("p", { class: "empty" }, missing())];
  return answer.found.flatMap(({ administration, journey }) => drawn(administration, journey, now));
}

function missing() {
  const reading = part("reading/journeys");
  if (reading) return `Not found yet: journeys are still being read (${count(reading.done)} of ${count(reading.of)}).`;
  const known = plural(sum(each("orders").map(([, value]) => value.count)), "order");
  return `No such order among the ${known} that are known here. The id must be exact: an extOrderId or an orderId.`;
}

function drawn(administration, journey, now) {
  const facts = [
    about.administrations.length > 1 ? ["Administration", administration] : null,
    ["State", el("span", { class: `badge ${KINDS[journey.state] ?? "good"}` }, standing(journey))],
    ["extOrderId", journey.extOrderId],
    ["orderId", journey.orderId],
    ["Relation", [journey.relationNumber, journey.relationName].filter((each) => each !== null && each !== undefined).join(" ")],
    ["Total", journey.total === null || journey.total === undefined ? null : money(journey.total)],
    ["Paid", journey.paid === null || journey.paid === undefined ? null : money(journey.paid)],
    ["Not shown", leftOut(journey)],
  ].filter((fact) => fact?.[1]);
  return [
    path(journey.steps ?? [], now),
    el("dl", { class: "facts" }, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el("h3", {}, "What happened"),
    history(journey, now),
  ];
}

/** The state, and whether only a part of the order is there. */
export function standing(journey) {
  return `${journey.state ?? "?"}${journey.partly ? ", in part" : ""}`;
}

/** A journey keeps the newest of what there is very much of. */
function leftOut(journey) {
  const commands = journey.commandsLeftOut ? `${journey.commandsLeftOut} earlier commands` : null;
  return [commands, journey.documentsLeftOut ? "earlier documents" : null].filter(Boolean).join(", ");
}

/** The way from commanded to paid, or to its end before: what was reached with its time, the rest as open. */
function path(steps, now) {
  const first = new Map();
  for (const step of steps) if (!first.has(step.step)) first.set(step.step, step);
  const end = steps.find((step) => ENDS.has(step.step) && !step.partly)?.step;
  const names = PATH.filter((name) => first.has(name) || !(end || OPTIONAL.has(name)));
  if (end) names.push(end);
  let before = null;
  const points = names.map((name) => {
    const at = first.has(name) ? seconds(first.get(name).at) : null;
    const after = at !== null && before !== null ? apart(before, at) : "";
    before = at ?? before;
    return point(name, at, after, now);
  });
  return el("ol", { class: "path", "aria-label": "The order's way" }, ...points);
}

/** The time between two steps, as exactly as it is known: the POS tells whole seconds. */
function apart(before, at) {
  const between = Number.isInteger(before) || Number.isInteger(at) ? Math.round(at - before) : at - before;
  return between > 0 ? `+${Number.isInteger(between) ? span(between) : lapse(between)}` : "";
}

function point(name, at, after, now) {
  const kind = at === null ? "open" : KINDS[name] ?? "good";
  const when = at === null ? el("span", { class: "dim" }, "not yet") : stamp(at, now);
  return el("li", { class: kind }, el("strong", {}, name), when, el("span", { class: "dim" }, after));
}

/** Steps and commands in one list, by time. The POS tells whole seconds: within one, what was asked for comes before what came of it. */
function history(journey, now) {
  const rows = [
    ...(journey.commands ?? []).map((command) => ({ at: seconds(command.at), rank: 1, kind: KINDS[command.outcome] ?? "wait", what: command.command, more: ended(command) })),
    ...(journey.steps ?? []).map((step) => ({ at: seconds(step.at), rank: step.step === "commanded" ? 0 : 2, kind: KINDS[step.step] ?? "good", what: step.step, more: told(step) })),
  ].sort((one, other) => Math.floor(one.at) - Math.floor(other.at) || one.rank - other.rank);
  if (!rows.length) return el("p", { class: "empty" }, "Nothing yet.");
  return el("ol", { class: "history" }, ...rows.map((row) => entry(row, now)));
}

function entry(row, now) {
  const time = row.at === null ? el("span", { class: "dim" }, "?") : stamp(row.at, now);
  return el("li", { class: row.kind }, time, el("div", {}, el("strong", {}, row.what), ...row.more.map((words) => el("span", {}, words))));
}

function told(step) {
  return [
    step.number ? `no. ${step.number}` : null,
    step.amount !== undefined && step.amount !== null ? `${money(step.amount)}${step.orders ? `, for ${step.orders} orders together` : ""}` : null,
    step.partly ? "in part" : null,
    step.reason ?? null,
    step.document ? `document ${step.document}` : null,
    step.syncMarker ? `sync marker ${step.syncMarker}` : null,
  ].filter((words) => words !== null);
}

function ended(command) {
  const after = command.endedAt ? ` after ${lapse(seconds(command.endedAt) - seconds(command.at))}` : "";
  return [
    `command ${command.commandId}`,
    command.outcome ? `${command.outcome}${after}` : "no result yet",
    command.outcome && command.outcome !== "succeeded" ? command.reason : null,
    command.outcome && command.outcome !== "succeeded" ? command.message : null,
  ].filter(Boolean);
}

function stamp(at, now) {
  return el("time", { datetime: new Date(at * 1000).toISOString() }, moment(at, now));
}

/** Epoch seconds; null for what is no time. */
function seconds(at) {
  const found = Date.parse(at) / 1000;
  return Number.isNaN(found) ? null : found;
}
