/** One file on its way to the store, part by part: what was cut is sent again, and nothing else. */

import {pause} from "../event_stream.js";
import {ApiProblem} from "../api.js";
import {putPart, urlIsForeign} from "./part_request.js";

const AT_ONCE = 3; // parts
const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 20;

/** Calls `onChange` at each step; `sentBytes` and `isCut` say how it is. */
export class Upload {
  #sent = new Map(); // part's number -> bytes of it that are sent
  #there = new Set(); // numbers of parts that are whole
  #isByGateway = false; // once the store did not answer this browser, as where it has no CORS rule for it
  #nudge = new AbortController();
  /** Whether the connection is away, and is waited for. */
  isCut = false;
  uploadId = null;

  /** @param {import("../api.js").Api} api @param {File} file @param {() => void} onChange */
  constructor(api, file, onChange) {
    Object.assign(this, {api, file, onChange});
  }

  get sentBytes() {
    return [...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Try again now, not later. */
  retry() {
    this.#nudge.abort();
    this.#nudge = new AbortController();
  }

  /**
   * The upload's id, once the whole file is there. Cuts are waited for. Throws ApiProblem for what waiting would not
   * mend, and AbortError where `signal` aborts: then nothing of it is left.
   */
  async run(signal) {
    try {
      for (let tries = 0; ; tries++) {
        try {
          return await this.#once(signal);
        } catch (problem) {
          if (tries > 0 || !["NOT_FOUND", "UPLOAD_EXPIRED"].includes(problem.code)) throw problem;
          this.#sent.clear(); // its time was over meanwhile
          this.#there.clear();
          this.uploadId = null;
        }
      }
    } catch (problem) {
      this.remove();
      throw problem;
    }
  }

  /** Has the store drop what came; nobody waits for that. */
  remove() {
    if (this.uploadId) this.api.json("DELETE", `/v1/uploads/${this.uploadId}`).catch(() => {});
  }

  async #once(signal) {
    const body = {size_bytes: this.file.size};
    const upload = await this.#patiently(signal, () => this.api.json("POST", "/v1/uploads", {body, signal}));
    this.uploadId = upload.upload_id;
    for (;;) {
      const missing = upload.parts.filter((part) => !this.#there.has(part.number));
      await this.#sendAll(missing, upload.parts[0].size_bytes, signal);
      try {
        await this.#patiently(signal, () => this.api.json("POST", `/v1/uploads/${this.uploadId}/complete`, {signal}));
        return this.uploadId;
      } catch (problem) {
        const lost = (problem.errors ?? []).map((each) => Number(each.pointer.split("/").pop()));
        if (problem.code !== "UPLOAD_INCOMPLETE" || lost.length === 0) throw problem;
        lost.forEach((number) => { this.#there.delete(number); this.#sent.delete(number); });
      }
    }
  }

  async #sendAll(parts, partBytes, signal) {
    const left = [...parts];
    const failing = new AbortController(); // what one part can't mend ends all
    const within = AbortSignal.any([signal, failing.signal]);
    const send = async () => {
      for (let part = left.shift(); part; part = left.shift()) await this.#sendOne(part, partBytes, within);
    };
    const lanes = Array.from({length: Math.min(AT_ONCE, left.length)}, send);
    try {
      await Promise.all(lanes);
    } catch (problem) {
      failing.abort();
      throw problem;
    }
  }

  async #sendOne(part, partBytes, signal) {
    const begin = (part.number - 1) * partBytes;
    const bytes = this.file.slice(begin, begin + part.size_bytes);
    const onProgress = (sent) => {
      this.#sent.set(part.number, sent);
      this.onChange();
    };
    await this.#patiently(signal, async () => {
      await bytes.slice(0, 1).arrayBuffer().catch(() => {
        throw new ApiProblem({status: -1, code: "FILE_UNREADABLE"});
      });
      const url = this.#isByGateway ? `/v1/uploads/${this.uploadId}/parts/${part.number}` : part.url;
      try {
        await putPart(url, bytes, {headers: urlIsForeign(url) ? {} : this.api.credentials, onProgress, signal});
      } catch (problem) {
        onProgress(0);
        if (urlIsForeign(url) && problem.status === 0) this.#isByGateway = true;
        throw problem;
      }
    });
    this.#there.add(part.number);
    onProgress(part.size_bytes);
  }

  /** What `ask` gives; asked again, ever more slowly, where the connection was cut or the other side is away. */
  async #patiently(signal, ask) {
    for (let waitS = FIRST_WAIT_S; ; waitS = Math.min(waitS * 2, LONGEST_WAIT_S)) {
      try {
        const answer = await ask();
        if (this.isCut) this.#note(false);
        return answer;
      } catch (problem) {
        signal.throwIfAborted();
        if (![0, 408, 429].includes(problem.status) && !(problem.status >= 500 && problem.status !== 501)) throw problem;
        this.#note(true);
        await pause(Math.max(waitS, problem.retryAfterS ?? 0), AbortSignal.any([signal, this.#nudge.signal]));
        signal.throwIfAborted();
      }
    }
  }

  #note(isCut) {
    this.isCut = isCut;
    this.onChange();
  }
}
