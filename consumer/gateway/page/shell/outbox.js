/** What is on its way from here to the service: one entry for each job that is wanted, until it is accepted. */

import {pause} from "../event_stream.js";
import {Upload} from "./upload.js";

const LONGEST_WAIT_S = 20;

/**
 * One job that is to be asked for. state: "waiting" (for those before it), "uploading", "asking", "failed".
 * Its idempotency key is made once, so that asking again never makes a second job.
 */
class Entry {
  state = "waiting";
  problem = null;
  upload = null;
  uploadId = null; // once its file is there
  ending = new AbortController();
  idempotencyKey = randomKey();
  /** By which the job is known once the stream tells of it, which may be before the answer: `metadata.sent_as`. */
  sentAs = randomKey().slice(0, 16);

  /** @param {string} name what it is called @param {Object} body as POST /v1/separations takes it @param {File|null} file */
  constructor(name, body, file) {
    const metadata = {sent_as: this.sentAs, ...(file ? {file: file.name.slice(0, 200)} : {})};
    Object.assign(this, {name, body: {...body, metadata}, file});
  }
}

/** Tells `change` with the entry as `detail`. */
export class Outbox extends EventTarget {
  #entries = [];
  #isRunning = false;

  /** @param {(job: Object) => void} onAccepted given each job that the service has */
  constructor(api, onAccepted) {
    super();
    Object.assign(this, {api, onAccepted});
  }

  get entries() {
    return [...this.#entries];
  }

  get isBusy() {
    return this.#entries.some((entry) => entry.state !== "failed");
  }

  /** Sends a file, with these options; `body` has no source. */
  addFile(file, body) {
    this.#add(new Entry(file.name, body, file));
  }

  /** Names an object that lies in a bucket already. */
  addObject(bucket, key, body) {
    this.#add(new Entry(key.split("/").pop() || key, {...body, source: {bucket, key}}, null));
  }

  /** Sends one again that failed. */
  again(entry) {
    if (["NOT_FOUND", "UPLOAD_EXPIRED"].includes(entry.problem?.code)) entry.uploadId = null;
    Object.assign(entry, {state: "waiting", problem: null, ending: new AbortController(), idempotencyKey: randomKey()});
    this.#tell(entry);
    this.#run();
  }

  /** Stops one and forgets it. */
  cancel(entry) {
    entry.ending.abort();
    this.#drop(entry);
  }

  cancelAll() {
    this.entries.forEach((entry) => this.cancel(entry));
  }

  #add(entry) {
    this.#entries.push(entry);
    this.#tell(entry);
    this.#run();
  }

  async #run() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let entry = this.#next(); entry; entry = this.#next()) {
      try {
        await this.#send(entry);
      } catch (problem) {
        if (!entry.ending.signal.aborted) this.#set(entry, "failed", problem);
      }
    }
    this.#isRunning = false;
  }

  #next() {
    return this.#entries.find((entry) => entry.state === "waiting");
  }

  async #send(entry) {
    const signal = entry.ending.signal;
    let body = entry.body;
    if (entry.file) {
      entry.upload = new Upload(this.api, entry.file, () => this.#tell(entry));
      this.#set(entry, "uploading");
      entry.uploadId ??= await entry.upload.run(signal);
      body = {...body, source: {upload_id: entry.uploadId}};
    }
    this.#set(entry, "asking");
    const job = await this.#ask(entry, body, signal);
    this.#drop(entry);
    this.onAccepted(job);
  }

  async #ask(entry, body, signal) {
    const headers = {"Idempotency-Key": entry.idempotencyKey};
    for (let waitS = 1; ; waitS = Math.min(waitS * 2, LONGEST_WAIT_S)) {
      try {
        return await this.api.json("POST", "/v1/separations", {body, headers, signal});
      } catch (problem) {
        signal.throwIfAborted();
        if (![0, 408, 429].includes(problem.status) && !(problem.status >= 500 && problem.status !== 501)) throw problem;
        this.#set(entry, "asking", problem);
        await pause(Math.max(waitS, problem.retryAfterS ?? 0), signal);
        signal.throwIfAborted();
      }
    }
  }

  #set(entry, state, problem = null) {
    Object.assign(entry, {state, problem});
    this.#tell(entry);
  }

  #drop(entry) {
    this.#entries = this.#entries.filter((each) => each !== entry);
    this.#tell(entry);
  }

  #tell(entry) {
    this.dispatchEvent(new CustomEvent("change", {detail: entry}));
  }
}

/** 128 random bits as text; crypto.randomUUID is for secure contexts alone, and gateways are tried without TLS too. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
