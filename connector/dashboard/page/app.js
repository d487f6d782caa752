// The page: what comes from the server goes into the model, and what changed is drawn.

import * as commands from "./commands.js";
import { attribute, byId, text } from "./dom.js";
import * as entities from "./entities.js";
import * as health from "./health.js";
import * as journey from "./journey.js";
import * as live from "./live.js";
import { about, everything, rows, take } from "./model.js";
import * as today from "./today.js";

const LINK = { wait: ["wait", "connecting…"], live: ["good", "live"], lost: ["bad", "connection lost"] };

const HIDDEN = 1000; // milliseconds between drawings while nobody looks

let link = "wait";
let refusal = ""; // what the server says where it does not take another viewer
let due = false;

function render() {
  due = false;
  const now = live.now();
  health.alarms(now, link, live.silence(), refusal);
  if (now === null) return;
  text(byId("group"), about.group);
  const all = rows(now);
  health.render(all, now, link);
  entities.render(all);
  commands.render(now);
  today.render(now);
  tell(byId("headline").textContent);
}

/** Many messages, one drawing. A hidden page has no frames, and its title is what people see of it. */
function soon() {
  if (due) return;
  due = true;
  if (document.hidden) setTimeout(render, HIDDEN);
  else requestAnimationFrame(render);
}

/** To screen readers, and in the title: the state of the whole, when it changes. */
function tell(words) {
  text(byId("told"), words);
  if (document.title !== `${words} – mplus-connector`) document.title = `${words} – mplus-connector`;
}

function linked(state, why) {
  link = state;
  refusal = why;
  const [kind, words] = LINK[state];
  attribute(byId("link"), "class", `pill ${kind}`);
  text(byId("link-words"), words);
  soon();
}

/** `#order=web-1001` is that order's journey; a place on the page leaves open what is open. */
function route() {
  const name = new URLSearchParams(location.hash.slice(1)).get("order") ?? "";
  if (!name && location.hash.length > 1) return;
  journey.show(name, live.now);
  if (name) byId("order").value = name;
}

function search(event) {
  event.preventDefault();
  const name = byId("order").value.trim();
  const hash = name ? `#order=${encodeURIComponent(name)}` : "";
  if (location.hash === hash) route();
  else location.hash = hash;
}

function close() {
  history.replaceState(null, "", location.pathname);
  journey.show("", live.now);
  byId("order").focus();
}

function key(event) {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("order").focus();
    byId("order").select();
  } else if (event.key === "Escape" && !byId("journey").hidden) {
    close();
  }
}

byId("search").addEventListener("submit", search);
byId("journey-close").addEventListener("click", close);
document.addEventListener("keydown", key);
document.addEventListener("visibilitychange", () => {
  due = false; // a frame that was asked for before may never come
  soon();
});
addEventListener("hashchange", route);
setInterval(soon, 1000); // ages go on also when nothing comes
const told = (message) => {
  take(message);
  soon();
};
live.connect(told, linked, everything);
route();
