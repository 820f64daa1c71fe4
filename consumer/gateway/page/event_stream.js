/** Server-sent events read from fetch, since EventSource sends no key (https://html.spec.whatwg.org/#server-sent-events). */

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 30;
const SILENCE_S = 40; // a comment comes every 15 s

/** Takes a stream's text piece by piece, and calls back with each event that is whole. */
export class EventParser {
  #rest = "";
  #name = "";
  #data = [];
  lastEventId = null;

  /** @param {(event: {name: string, data: Object}) => void} onEvent */
  constructor(onEvent) {
    this.onEvent = onEvent;
  }

  /** @param {string} text */
  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line.replace(/\r$/, ""));
  }

  /** Forgets what was not whole when a stream was cut. */
  cut() {
    this.#rest = this.#name = "";
    this.#data = [];
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const [field, value] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.lastEventId = value;
  }

  #dispatch() {
    const [name, text] = [this.#name, this.#data.join("\n")];
    this.#name = "";
    this.#data = [];
    if (text) this.onEvent({name: name || "message", data: JSON.parse(text)});
  }
}

/**
 * Reads a stream and, after a cut, the one that follows it, ever more slowly while nothing answers. `onState` is told
 * that one is open, or that none is, with the error that stood in its place.
 * @param {(headers: Object, signal: AbortSignal) => Promise<Response>} open
 */
export async function followEvents(open, {onEvent, onState = () => {}, signal}) {
  const parser = new EventParser(onEvent);
  let waitS = FIRST_WAIT_S;
  while (!signal.aborted) {
    let [toldS, problem] = [0, null];
    try {
      const headers = parser.lastEventId === null ? {} : {"Last-Event-ID": parser.lastEventId};
      await readOne(open, headers, parser, signal, () => {
        waitS = FIRST_WAIT_S;
        onState(true);
      });
    } catch (error) {
      if (signal.aborted) return;
      if ([401, 403, 404].includes(error.status)) throw error;
      [toldS, problem] = [error.retryAfterS ?? 0, error];
    }
    if (signal.aborted) return;
    parser.cut();
    if (problem) onState(false, problem); // one that has ended in order is opened again at once
    await pause(Math.max(waitS, toldS) * (0.75 + Math.random() / 2), signal);
    waitS = Math.min(waitS * 2, LONGEST_WAIT_S);
  }
}

async function readOne(open, headers, parser, signal, onOpen) {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal.addEventListener("abort", stop);
  let timer = setTimeout(stop, SILENCE_S * 1000);
  try {
    const response = await open(headers, silence.signal);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_S * 1000);
      parser.push(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Settles after some seconds, or at once where the signal aborts or the browser is online again. */
export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(end, seconds * 1000);
    function end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      window.removeEventListener("online", end);
      resolve();
    }
    signal?.addEventListener("abort", end);
    window.addEventListener("online", end);
  });
}
