// Numbers, times and names in words.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const cents = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const NOTHING = "–";

export function count(value) {
  return value === null || value === undefined ? NOTHING : whole.format(value);
}

export function rate(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value > 0 && value < 0.05) return "< 0.1";
  return value > 0 && value < 10 ? small.format(value) : whole.format(value);
}

/** Cents, in the POS's own currency. */
export function money(value) {
  return value === null || value === undefined ? NOTHING : cents.format(value / 100);
}

/** Seconds as people say them. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds > 0 && seconds < 1) return "< 1 s";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** Seconds between two steps: short ones exactly. */
export function lapse(seconds) {
  if (seconds < -1) return "a time that two clocks tell differently";
  if (seconds < 0.05) return "< 0.1 s";
  return seconds < 10 ? `${small.format(seconds)} s` : span(seconds);
}

export function ago(seconds) {
  return seconds < 1 ? "now" : `${span(seconds)} ago`;
}

/** A time of day, with the date where it is not today. */
export function moment(epoch, now) {
  const at = new Date(epoch * 1000);
  const today = at.toDateString() === (now === null ? new Date() : new Date(now * 1000)).toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

export function plural(number, word, many = `${word}s`) {
  return `${count(number)} ${number === 1 ? word : many}`;
}

/** purchaseOrder → purchase order. */
export function spaced(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
