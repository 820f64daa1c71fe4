/** Looks again and again, as long as somebody can see it. */

/** Calls `load` at once and then every few seconds while the page is visible, one call at a time. */
export class Poller {
  #ending = new AbortController();
  #timer = null;
  #isLoading = false;

  /**
   * @param {{load: (signal: AbortSignal) => Promise, onLoaded: (loaded: *) => void, onFailed: (problem: Error) => void,
   *   everyS: number}} options onFailed is told of each failure; what was loaded before stays the caller's
   */
  constructor(options) {
    this.options = options;
    document.addEventListener("visibilitychange", () => this.look(), {signal: this.#ending.signal});
    this.look();
  }

  /** Looks now, if anybody can see it. */
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#isLoading || this.#ending.signal.aborted) return;
    this.#isLoading = true;
    try {
      const loaded = await this.options.load(this.#ending.signal);
      if (!this.#ending.signal.aborted) this.options.onLoaded(loaded);
    } catch (problem) {
      if (!this.#ending.signal.aborted) this.options.onFailed(problem);
    } finally {
      this.#isLoading = false;
      if (!this.#ending.signal.aborted) this.#timer = setTimeout(() => this.look(), this.options.everyS * 1000);
    }
  }

  /** Looks no more. */
  end() {
    clearTimeout(this.#timer);
    this.#ending.abort();
  }
}
