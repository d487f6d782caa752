// The whole fleet at a glance: one headline, what is wrong with what to do, and a few sums.

import { attribute, byId, el, holding, keyed, text } from "./dom.js";
import { about, beginning, commands, each, isKnown, outcomes, part, sum } from "./model.js";
import { ago, count, moment, money, NOTHING, plural, rate, spaced, span } from "./words.js";

const ADVICE = {
  views: "They are built from the topics, and catch up by themselves; entities and commands are not touched by that.",
  stale: "Is a worker running? If not, start one: mplus-connector run. If another runs, it takes over within 15 s.",
  unowned: "No worker has ever reported: start one, and look at CONNECTOR_ENTITIES.",
  behind: "It is read more slowly than it changes. Give it time after an outage; else see the POS's answer times.",
  unknown: "The POS does not tell its head: how much is unread cannot be known. mplus-connector check says what the POS answers.",
  paused: "An operator paused it: mplus-connector resume.",
  unreachable: "The POS does not answer. It goes on by itself; mplus-connector check says what the POS answers.",
  unavailable: "The POS refuses: wrong login, or an operation that is not licensed. mplus-connector check.",
  stuck: "Too many items share one sync marker: touch some at the POS, then mplus-connector resume.",
  failed: "Nobody foresaw this: it alone waits and is tried again. Its reason names what cannot be done; else report it.",
  "topic-lost": "Its topic is not the one its position was reached in: have it back, or mplus-connector resync from 0.",
  "head-doubted": "The POS told a head below the position: it is looked at again for half a minute. Was the POS restored or restarted?",
  "head-regressed": "The POS was restored: mplus-connector resync shows what would be read again, --apply does it.",
};

/** What is wrong, the worst first: { kind, what, advice }. */
export function problems(all, now) {
  return [...troubles(now), ...states(all, now), ...clocks(all), ...commandProblems()].sort(
    (one, other) => (other.kind === "bad") - (one.kind === "bad"),
  );
}

function troubles(now) {
  const kafka = part("kafka");
  const found = beginning("trouble/").map((what) => ({ kind: "bad", what, advice: "" }));
  if (kafka?.since) {
    return [{ kind: "bad", what: `Kafka has not been reachable since ${moment(kafka.since, now)}`, advice: kafka.reason }];
  }
  const views = part("views");
  if (views) found.push({ kind: "warn", what: `Figures and journeys are older than what is read: ${views.join("; ")}`, advice: ADVICE.views });
  return found;
}

function states(all, now) {
  const groups = new Map();
  for (const row of all.filter((row) => row.kind !== "good")) {
    const key = `${row.shown} ${row.administration} ${row.shown === "stale" ? row.owner : ""}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => problem(group, now));
}

function problem(group, now) {
  const [{ shown, administration, owner, kind }] = group;
  const several = about.administrations.length > 1 ? `${administration}: ` : "";
  const names = group.length > 4 ? plural(group.length, "entity", "entities") : group.map((row) => spaced(row.entity)).join(", ");
  const unknown = group.filter((row) => kind !== "stale" && !isKnown(row)).map((row) => row.unknownSince);
  const who = shown === "stale" ? `, ${owner} stopped reporting` : "";
  const since = unknown.length ? `backlog unknown since ${moment(Math.min(...unknown), now)}` : "";
  const said = [shown === "unknown" && since ? "" : shown + who, since].filter(Boolean).join(", ");
  return { kind: kind === "warn" ? "warn" : "bad", what: `${several}${names}: ${said}`, advice: ADVICE[shown] ?? "" };
}

const CLOCKS_AGREE = 2; // seconds

function clocks(all) {
  const found = wrong(new Map(all.filter((row) => row.kind !== "stale" && row.ahead !== null).map((row) => [row.owner, row.ahead])));
  if (new Set(all.filter((row) => row.kind === "good").map((row) => row.digest)).size > 1) {
    found.push({ kind: "warn", what: "Workers are configured differently", advice: "Compare their settings." });
  }
  return found;
}

/** Whose clock is off: of the machine that serves this page, where all workers' differ from it alike, else of each worker that does. */
function wrong(clocks) {
  const off = [...clocks].filter(([, ahead]) => Math.abs(ahead) > CLOCKS_AGREE);
  const advice = "Synchronise the clocks: moments and ages are wrong by that much.";
  const [least, most] = [Math.min(...off.map(([, ahead]) => ahead)), Math.max(...off.map(([, ahead]) => ahead))];
  const machines = new Set(off.map(([owner]) => owner.replace(/:\d+$/, ""))); // an owner is a process of a machine
  if (machines.size > 1 && off.length === clocks.size && most - least <= CLOCKS_AGREE) {
    return [{ kind: "warn", what: `The clock of this page's machine is ${apart(-most)} all workers'`, advice }];
  }
  return off.map(([owner, ahead]) => ({ kind: "warn", what: `The clock of ${owner} is ${apart(ahead)} that of this page's machine`, advice }));
}

function apart(ahead) {
  return `${span(Math.abs(ahead))} ${ahead < 0 ? "behind" : "ahead of"}`;
}

function commandProblems() {
  const unknown = unsolved();
  const letters = lettersOfTheDay();
  const found = [];
  if (unknown) found.push({ kind: "bad", what: `${plural(unknown, "command")} with an unknown outcome`, advice: "Look at the orders, then redrive.", below: "failures" });
  if (letters.count) found.push({ kind: "warn", what: `${letters.words} within 24 hours`, advice: "", below: "letters" });
  return found;
}

/** Commands whose outcome is unknown until a later result tells it: those of the journeys, and results that have not come that far. */
function unsolved() {
  const name = (administration, row) => JSON.stringify([administration, row.order, row.commandId]);
  const open = new Set(each("open").flatMap(([administration, value]) => value.latest.map((row) => name(administration, row))));
  const newer = each("failures").flatMap(([administration, rows]) => rows.filter((row) => row.outcome === "unknown" && !open.has(name(administration, row))));
  const more = each("open").some(([, value]) => value.count > value.latest.length); // of which the newer ones may be some
  return sum(each("open").map(([, value]) => value.count)) + (more ? 0 : newer.length);
}

/** Where not all of them were read, there are at least so many. */
function lettersOfTheDay() {
  const parts = each("letters").map(([, value]) => value);
  const found = sum(parts.map((value) => value.day));
  const least = parts.some((value) => value.atLeast);
  return { count: found, figure: `${least ? "≥ " : ""}${count(found)}`, words: `${least ? "At least " : ""}${plural(found, "dead letter")}` };
}

export function render(all, now, link) {
  const found = problems(all, now);
  const bad = found.filter((each) => each.kind === "bad").length;
  const kind = link === "lost" ? "stale" : bad ? "bad" : found.length ? "warn" : "good";
  attribute(byId("headline"), "class", kind);
  text(byId("headline"), headline(link, bad, found.length));
  text(byId("subline"), subline(all));
  keyed(byId("problems"), found, (each) => each.what, makeProblem);
  tiles(all);
}

function headline(link, bad, all) {
  if (link === "lost") return "No connection: what was known last";
  if (bad) return bad === 1 ? "One thing needs attention" : `${bad} things need attention`;
  return all ? `Running, with ${plural(all, "remark")}` : "All is well";
}

function subline(all) {
  const live = all.filter((row) => row.kind !== "stale");
  const owners = new Set(live.map((row) => row.owner)).size;
  return `${live.length} of ${plural(all.length, "entity", "entities")} read by ${plural(owners, "worker")}`;
}

function makeProblem(each) {
  return el("li", { class: each.kind }, el("strong", {}, each.what), each.advice ? ` ${each.advice}` : null, each.below ? link(each.below) : null);
}

function link(id) {
  return el("a", { href: `#${id}`, class: "below" }, "Show");
}

function tiles(all) {
  const revenue = each("today").map(([, value]) => value.revenue.ordered);
  const live = all.filter((row) => row.kind !== "stale"); // what a stale row says is not so any more
  const known = live.filter(isKnown);
  const of = (unit, rows = live) => {
    if (rows.length === all.length) return unit;
    if (rows.length) return `${unit} of ${plural(rows.length, "entity", "entities")}`;
    return live.length ? "unknown: the POS does not tell" : "nobody reports";
  };
  const failed = outcomes("rejected") + outcomes("unknown");
  const sent = sum(Object.values(commands()).map((counts) => sum(Object.values(counts))));
  const shown = [
    ["Backlog", known.length ? count(sum(known.map((row) => row.backlog))) : NOTHING, of("sync markers", known)],
    ["Oldest unread", known.length ? oldest(known) : NOTHING, of("since first seen", known)],
    ["Reading", live.length ? rate(sum(live.map((row) => row.rate))) : NOTHING, of("items/s")],
    ["Commands", `${each("commandsAtLeast").length ? "≥ " : ""}${count(sent)}`, "in the last hour"],
    ["Not done", count(failed), `${count(unsolved())} unknown and open`],
    ["Dead letters", lettersOfTheDay().figure, "in 24 hours"],
    ["Ordered today", revenue.length ? money(sum(revenue.map((row) => row.amount))) : NOTHING, revenue.length ? plural(sum(revenue.map((row) => row.count)), "order") : "not counted yet"],
  ];
  keyed(byId("tiles"), shown, ([name]) => name, makeTile, (node, [, value, unit]) => {
    text(node.parts.value, value);
    text(node.parts.unit, unit);
  });
}

function oldest(rows) {
  const age = Math.max(...rows.map((row) => row.age ?? 0));
  return age > 0 ? span(age) : "none";
}

function makeTile([name]) {
  const value = el("span", { class: "figure" });
  const unit = el("small", { class: "dim" });
  const node = el("div", {}, el("dt", {}, name), el("dd", {}, value, unit));
  return holding(node, { value, unit });
}

/** What stands on top while nothing below can be trusted to be new. */
export function alarms(now, link, silence, refusal) {
  const kafka = part("kafka");
  const found = [];
  if (link === "lost") {
    const known = now === null ? "It never answered." : `Everything below is as it was at ${moment(now - silence, now)}.`;
    found.push({ key: "link", words: `${refusal || "The connection to the dashboard is lost"}. ${known}`, old: silence });
  } else if (kafka?.since) {
    found.push({ key: "kafka", words: `Kafka has not been reachable since ${moment(kafka.since, now)}. ${kafka.reason}`, old: now - kafka.since });
  }
  keyed(byId("alarms"), found, (each) => each.key + each.words, makeAlarm, (node, each) => text(node.parts.old, each.old === null ? "" : ago(each.old)));
}

function makeAlarm(each) {
  const old = el("span", { class: "old", "aria-hidden": "true" });
  return holding(el("p", { class: "alarm" }, each.words, " ", old), { old });
}
