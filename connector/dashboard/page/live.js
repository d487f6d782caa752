// The connection to the server, one for all tabs of a browser, and the server's clock: the browser's own may be wrong.
//
// A browser opens six connections to a server at most, and a stream holds one. So one tab reads the stream and tells the others.

const SILENCE = 4; // seconds without a message after which the connection counts as lost: the server speaks every second
const AGAIN = 2; // seconds until the next attempt where the browser gave up
const ANSWER = 0.15; // seconds for a tab that reads to say so
const ASK = 2; // seconds without a message after which a tab asks whether anybody still reads
const TAKE_OVER = 3; // seconds without a message or an answer after which it reads itself
const LATER = 30; // seconds until the next attempt where the server takes no more viewers

const TOLD = new Set(["who", "message", "busy", "bye"]); // what tabs say to each other; a page of another version may say more

let heard = null; // performance.now() of the last message
let told = null; // the server's clock in it, epoch seconds
let known = { process: null, version: -1 }; // what all messages so far come to

/** The server's clock now, epoch seconds; null before the first message. */
export function now() {
  return told === null ? null : told + since(heard);
}

/** Seconds since the last message; null before the first. */
export function silence() {
  return heard === null ? null : since(heard);
}

function since(moment) {
  return (performance.now() - moment) / 1000;
}

/**
 * Connect for ever. `onMessage(message)` for each; `onLink("live" | "wait" | "lost", words)` when that changes;
 * `all()` gives what is known so far as one message, for a tab that is opened later.
 */
export function connect(onMessage, onLink, all) {
  new Link(onMessage, onLink, all).begin();
}

class Link {
  constructor(onMessage, onLink, all) {
    Object.assign(this, { onMessage, onLink, all, state: "wait", words: "", source: null, heard: false, failures: 0 });
    this.id = Math.random();
    this.begun = this.opened = this.answered = performance.now();
    this.notBefore = 0; // performance.now() until which the server does not want to be asked
    // Another deployment may be served below another path of this origin: it has tabs of its own.
    const place = new URL("api/events", document.baseURI).href;
    this.tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(place) : null;
  }

  begin() {
    if (this.tabs) this.tabs.onmessage = ({ data }) => TOLD.has(data.kind) && this[data.kind](data);
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.join());
    setInterval(() => this.watch(), 500);
    this.join();
  }

  /** Listen to the tab that reads, or be it. */
  join() {
    this.answered = this.begun;
    this.tell({ kind: "who" });
    setTimeout(() => this.answered === this.begun && this.read(), this.tabs ? ANSWER * 1000 : 0);
  }

  tell(words) {
    this.tabs?.postMessage({ ...words, from: this.id });
  }

  // what other tabs say

  /** Only a tab that hears the server answers for it. */
  who() {
    if (this.hears()) this.tell({ kind: "message", message: { ...this.all(), ...known, from: 0, now: told }, age: since(heard) });
  }

  hears() {
    return this.source !== null && this.heard && since(heard) < ASK;
  }

  message({ from, message, age }) {
    this.answered = performance.now();
    if (this.source && (!this.hears() || from < this.id)) this.stop(); // of two that read the one with the lower number goes on
    if (!this.source) this.take(message, age);
    else this.who();
  }

  busy({ words }) {
    this.notBefore = performance.now() + LATER * 1000;
    if (!this.source) this.become("lost", words);
  }

  bye() {
    this.answered = this.begun;
    setTimeout(() => this.answered === this.begun && !this.source && this.read(), Math.random() * 200);
  }

  // what the server says

  read() {
    this.stop();
    this.opened = performance.now();
    const source = (this.source = new EventSource("api/events"));
    source.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      this.failures = 0;
      this.heard = true;
      this.take(message, 0);
      this.tell({ kind: "message", message, age: 0 });
    };
    source.addEventListener("busy", ({ data }) => this.refused(data));
    source.onerror = () => this.failed(source);
  }

  /** The server has too many viewers: this tab makes no claim, and asks again later. */
  refused(words) {
    this.stop();
    this.notBefore = performance.now() + LATER * 1000;
    this.tell({ kind: "busy", words });
    this.become("lost", words);
  }

  /** The server ends a stream now and then: that it does not come back at once is what counts. */
  failed(source) {
    this.failures += 1;
    if (this.failures > 1) this.become("lost", "");
    if (source.readyState === EventSource.CLOSED && source === this.source) setTimeout(() => source === this.source && this.read(), AGAIN * 1000);
  }

  /** A message, `age` seconds old. One that does not follow on what is known is no use: all of it is asked for. */
  take(message, age) {
    if (message.process === known.process && message.version < known.version) return;
    const follows = message.full || (message.process === known.process && message.from <= known.version);
    if (!follows) return void this.tell({ kind: "who" });
    known = { process: message.process, version: message.version };
    heard = performance.now() - age * 1000;
    told = message.now;
    this.onMessage(message);
    if (since(heard) < SILENCE) this.become("live", "");
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.heard = false;
  }

  leave() {
    if (this.source) this.tell({ kind: "bye" });
    this.stop();
  }

  watch() {
    const silent = since(heard ?? this.begun);
    if (silent > SILENCE) this.become("lost", performance.now() < this.notBefore ? this.words : "");
    if (this.source) {
      if (silent > SILENCE && since(this.opened) > 2 * SILENCE) this.read(); // a connection that died without a word
    } else if (silent > ASK) {
      this.tell({ kind: "who" });
      if (Math.min(silent, since(this.answered)) > TAKE_OVER && performance.now() > this.notBefore) this.read();
    }
  }

  become(state, words) {
    if (state === this.state && words === this.words) return;
    Object.assign(this, { state, words });
    this.onLink(state, words);
  }
}
