/**
 * What was handed to the audio device, and when: spans of the track, one behind the other, without gaps or with one
 * where a chunk was late. All is counted in frames, so nothing is ever rounded.
 */
export class Timeline {
  #spans = [];

  /** `span` is `{start, frames, at}`: frames of the track from `start` on sound from the context's frame `at` on. */
  add(span) {
    this.#spans.push(span);
  }

  /** The context's frame at which all that was handed over has sounded; null while there is nothing. */
  get end() {
    const last = this.#spans.at(-1);
    return last ? last.at + last.frames : null;
  }

  get spans() {
    return [...this.#spans];
  }

  /** Which frame of the track sounds at the context's frame `now`; in a gap the next, behind the end the last one. */
  frameAt(now) {
    for (const span of this.#spans) {
      if (now < span.at + span.frames) {
        return span.start + Math.max(0, now - span.at);
      }
    }
    const last = this.#spans.at(-1);
    return last ? last.start + last.frames : null;
  }

  /** Whether something sounds then. */
  isSounding(now) {
    return this.#spans.some((span) => span.at <= now && now < span.at + span.frames);
  }

  /** Take out the spans that have sounded, all but the last one, and return them. */
  forgetBefore(now) {
    const isOver = (span) => span.at + span.frames <= now && span !== this.#spans.at(-1);
    const over = this.#spans.filter(isOver);
    this.#spans = this.#spans.filter((span) => !isOver(span));
    return over;
  }

  /** Take out all that would sound from the context's frame `at` on, shorten what sounds then, and return what is out. */
  cut(at) {
    const out = this.#spans.filter((span) => span.at >= at);
    this.#spans = this.#spans.filter((span) => span.at < at);
    const last = this.#spans.at(-1);
    if (last && last.at + last.frames > at) {
      last.frames = at - last.at;
    }
    return out;
  }

  clear() {
    this.#spans = [];
  }
}
