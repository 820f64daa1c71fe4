/** Fetches parts of a stem's file, from the gateway with the key, or from the store by a link that needs none. */

const RETRY_S = [0.5, 1, 2, 4, 8];
const SLOWEST_BYTES_PER_S = 20_000;
const PATIENCE_S = 20;
const LINK_MARGIN_MS = 20_000;
const MOST_ELSEWHERE = 2; // times in a row that the store may not answer at all
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A stem that can't be had, however often one asks. `kind` is gone, refused or unreadable. */
export class StemProblem extends Error {
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

/** One stem's bytes. */
export class StemReader {
  #api;
  #path;
  #link = null;
  #failedElsewhere = 0;
  #onTrouble;
  #wait;

  /**
   * `stem` is one of a result's. `onTrouble` is called with what is wrong while it is tried again, and with null once
   * it works. `wait(seconds, signal)` passes time.
   */
  constructor({api, jobId, stem, onTrouble = () => {}, wait = pause}) {
    this.#api = api;
    this.#path = `/v1/separations/${encodeURIComponent(jobId)}/stems/${encodeURIComponent(stem.name)}`;
    this.sizeBytes = stem.size_bytes;
    this.#onTrouble = onTrouble;
    this.#wait = wait;
  }

  /**
   * The `count` bytes from `first` on, or fewer at the file's end, as a Uint8Array.
   *
   * What passes is waited for, as long as `signal` is not aborted. Throws StemProblem, or the signal's reason.
   */
  async read(first, count, signal) {
    const wanted = Math.min(count, this.sizeBytes - first);
    if (wanted <= 0) {
      return new Uint8Array(0);
    }
    for (let tries = 0; ; tries += 1) {
      signal?.throwIfAborted();
      try {
        const bytes = await this.#readOnce(first, wanted, signal);
        if (this.#link?.isElsewhere) {
          this.#failedElsewhere = 0;
        }
        if (tries) {
          this.#onTrouble(null);
        }
        return bytes;
      } catch (error) {
        signal?.throwIfAborted();
        const problem = this.#judge(error, tries);
        if (problem) {
          throw problem;
        }
        this.#onTrouble(error);
        await this.#wait(error.retryAfterS ?? RETRY_S[Math.min(tries, RETRY_S.length - 1)], signal);
      }
    }
  }

  /** An address that the browser can fetch by itself, without a key; null where only the gateway has the file. */
  async address(signal) {
    const link = await this.#linkNow(signal);
    return link.isElsewhere ? link.url : null;
  }

  async #readOnce(first, wanted, signal) {
    const limit = AbortSignal.timeout(1000 * (PATIENCE_S + wanted / SLOWEST_BYTES_PER_S));
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    const headers = {Range: `bytes=${first}-${first + wanted - 1}`};
    const link = await this.#linkNow(either);
    const response = link.isElsewhere
      ? await fetchPlainly(link.url, headers, either)
      : await this.#api.response("GET", link.url, {headers, signal: either});
    const isWhole = response.status === 200 && first === 0 && wanted === this.sizeBytes;
    if (response.status !== 206 && !isWhole) {
      await response.body?.cancel();
      throw new StemProblem("unreadable", "parts of the file can't be had");
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== wanted) {
      throw new TypeError("the answer was cut");
    }
    return bytes;
  }

  /** The link, a new one where it is about to run out. */
  async #linkNow(signal) {
    if (this.#failedElsewhere >= MOST_ELSEWHERE) {
      return {url: `${this.#path}?redirect=false`, isElsewhere: false, untilMs: Infinity};
    }
    if (!this.#link || Date.now() > this.#link.untilMs) {
      const told = await this.#api.json("GET", `${this.#path}/link`, {signal});
      const url = new URL(told.url, document.baseURI);
      this.#link = {
        url: url.origin === location.origin ? url.pathname + url.search : url.href,
        isElsewhere: url.origin !== location.origin,
        untilMs: told.expires_at ? Date.parse(told.expires_at) - LINK_MARGIN_MS : Infinity,
      };
    }
    return this.#link;
  }

  /** What can't be mended, as a StemProblem; null where it is worth another try. */
  #judge(error, tries) {
    const wasElsewhere = this.#link?.isElsewhere;
    this.#link = null;
    if (error instanceof StemProblem) {
      return error;
    }
    const status = error.status ?? 0;
    if (!status && wasElsewhere) {
      this.#failedElsewhere += 1; // perhaps it has no CORS rule for this page: a browser does not say
    }
    if (!status || PASSING.has(status)) {
      return null; // the network, or a server that is away
    }
    if (error.isFromStore && wasElsewhere && tries < 2) {
      return null; // a link that has run out; the gateway knows whether the file is there
    }
    if ([404, 410].includes(status)) {
      return new StemProblem("gone", error.detail ?? "");
    }
    return new StemProblem([401, 403].includes(status) ? "refused" : "unreadable", error.detail ?? `status ${status}`);
  }
}

/** From the store: nothing of ours goes along, no key, no cookie, no address. */
async function fetchPlainly(url, headers, signal) {
  const response = await fetch(url, {
    headers,
    signal,
    credentials: "omit",
    referrerPolicy: "no-referrer",
    redirect: "error",
  });
  if (response.status >= 400) {
    await response.body?.cancel();
    throw Object.assign(new Error(`the store answers ${response.status}`), {
      status: response.status,
      isFromStore: true,
    });
  }
  return response;
}

/** Passes `seconds`, or ends at once with the signal's reason; the network's return ends it early. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (finish) => () => {
      clearTimeout(timer);
      removeEventListener("online", back);
      signal?.removeEventListener("abort", stopped);
      finish();
    };
    const back = end(resolve);
    const stopped = end(() => reject(signal.reason));
    const timer = setTimeout(back, 1000 * seconds);
    addEventListener("online", back);
    signal?.addEventListener("abort", stopped);
  });
}
