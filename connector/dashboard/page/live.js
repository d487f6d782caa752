// The connection to the server, and its clock: the browser's own may be wrong.

const SILENCE = 4; // seconds without a message after which the connection counts as lost: the server speaks every second
const AGAIN = 2; // seconds until the next attempt where the browser gave up

let heard = null; // performance.now() of the last message
let told = null; // the server's clock in it, epoch seconds

/** The server's clock now, epoch seconds; null before the first message. */
export function now() {
  return told === null ? null : told + (performance.now() - heard) / 1000;
}

/** Seconds since the last message; null before the first. */
export function silence() {
  return heard === null ? null : (performance.now() - heard) / 1000;
}

/** Connect for ever. `onMessage(message)` for each; `onLink("live" | "wait" | "lost")` when that changes. */
export function connect(onMessage, onLink) {
  let source = null;
  let opened = null;
  let timer = null;
  let state = "wait";
  const begun = performance.now();

  function become(next) {
    if (next !== state) onLink((state = next));
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    opened = performance.now();
    source = new EventSource("api/events");
    source.onmessage = (event) => {
      const message = JSON.parse(event.data);
      heard = performance.now();
      told = message.now;
      onMessage(message);
      become("live");
    };
    source.onerror = () => {
      become("lost");
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN * 1000);
    };
  }

  function watch() {
    const since = heard ?? begun;
    if ((performance.now() - since) / 1000 <= SILENCE) return;
    become("lost");
    if ((performance.now() - opened) / 1000 > 2 * SILENCE) open(); // a connection that died without a word
  }

  open();
  setInterval(watch, 500);
}
