/** Says to screen readers what has changed, no more often than they can bear. */

const PAUSE_S = 10;

/** Puts texts into a live region, at most one every ten seconds; those that come sooner are said together. */
export class Announcer {
  #waiting = [];
  #saidAtS = -PAUSE_S;
  #timer = null;

  /** @param {HTMLElement} region an element with aria-live */
  constructor(region) {
    this.region = region;
  }

  /** @param {string} words */
  say(words) {
    if (!this.#waiting.includes(words)) this.#waiting.push(words);
    if (this.#timer !== null) return;
    const leftS = Math.max(0, this.#saidAtS + PAUSE_S - performance.now() / 1000);
    this.#timer = setTimeout(() => this.#speak(), leftS * 1000);
  }

  #speak() {
    this.#timer = null;
    this.#saidAtS = performance.now() / 1000;
    this.region.textContent = this.#waiting.splice(0).slice(-4).join(" ");
  }
}
