// What the server told, by part, and what follows from it. No element is touched here.

const parts = new Map();

export let about = { group: "", administrations: [], entities: [], staleAfter: 7 };

/** Take a message in; the names of the parts that changed. */
export function take(message) {
  if (message.full) parts.clear();
  for (const [name, value] of Object.entries(message.parts)) parts.set(name, value);
  about = parts.get("about") ?? about;
  return Object.keys(message.parts);
}

/** All that is known, as a message. */
export function everything() {
  return { full: true, parts: Object.fromEntries(parts) };
}

export function part(name) {
  return parts.get(name) ?? null;
}

/** [administration, value] of a part of every administration that has one. */
export function each(name) {
  return about.administrations.map((each) => [each, part(`${name}/${each}`)]).filter(([, value]) => value !== null);
}

/** Values of all parts whose name begins so. */
export function beginning(prefix) {
  return [...parts].filter(([name, value]) => name.startsWith(prefix) && value !== null).map(([, value]) => value);
}

/** Entities as they stand at a moment, in the order of the table; `told` is the same object until something new is told. */
export function rows(now) {
  const found = [];
  for (const administration of about.administrations) {
    for (const entity of about.entities) {
      const row = part(`row/${administration}/${entity}`);
      if (row) found.push({ administration, entity, told: row, ...row, ...standing(row, now) });
    }
  }
  return found;
}

export const BEHIND = 60; // seconds of age from which a running entity is worth a word

const BY_ITSELF = new Set(["paused", "head-doubted"]); // somebody wanted it, or it is over in half a minute

/** `shown`: the state in a word; `kind`: good, warn, bad or stale; `old`: seconds since it was reported. */
function standing(row, now) {
  if (row.at === null) return { shown: "unowned", kind: "stale", old: null };
  const old = Math.max(0, now - row.at);
  if (old > about.staleAfter) return { shown: "stale", kind: "stale", old };
  if (row.state !== "running") return { shown: row.state, kind: BY_ITSELF.has(row.state) ? "warn" : "bad", old };
  if (row.age < BEHIND) return { shown: "running", kind: "good", old };
  return { shown: isKnown(row) ? "behind" : "unknown", kind: "warn", old };
}

/** Whether the POS tells the head: else backlog and age are not 0 but unknown. */
export function isKnown(row) {
  return (row.unknownSince ?? null) === null;
}

export function sum(values) {
  return values.reduce((total, value) => total + (value ?? 0), 0);
}

/** { command: { outcome: count } } of all administrations together. */
export function commands() {
  const total = {};
  for (const [, counts] of each("commands")) {
    for (const [command, outcomes] of Object.entries(counts)) {
      const row = (total[command] ??= {});
      for (const [outcome, count] of Object.entries(outcomes)) row[outcome] = (row[outcome] ?? 0) + count;
    }
  }
  return total;
}

export function outcomes(name) {
  return sum(Object.values(commands()).map((row) => row[name]));
}
