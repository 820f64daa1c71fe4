import {el} from "../dom.js";

const GAP_RATIO = 0.34; // of a bar's width, between bars
const BAR_PX = 3;
const LEAST_PX = 1;

/** A stem's waveform, on a canvas as sharp as the screen, with the place that sounds and the loop drawn over it. */
export class Waveform {
  #canvas = el("canvas", {class: "wave-canvas", width: 1, height: 1});
  #peaks = null;
  #highest = 1;
  #isAsked = false;
  #observer;
  #scheme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.draw();

  /** `onSeek(share)` and `onSpan(from, to)` tell where a pointer was pressed, and between which shares it was drawn. */
  constructor({onSeek, onSpan}) {
    this.element = el(
      "div",
      {class: "wave", "aria-hidden": "true"},
      this.#canvas,
      el("div", {class: "wave-played"}),
      el("div", {class: "wave-loop"}),
      el("div", {class: "wave-head"}),
    );
    listenToPointer(this.element, onSeek, onSpan);
    this.#observer = new ResizeObserver(this.#redraw);
    this.#observer.observe(this.element);
    this.#scheme.addEventListener("change", this.#redraw);
  }

  /** `peaks` is a Peaks, `highest` the sample that fills the height; call `draw` when the peaks have changed. */
  show(peaks, highest) {
    this.#peaks = peaks;
    this.#highest = highest;
    this.draw();
  }

  /** Draws before the next frame is shown, once however often it is asked. */
  draw() {
    if (!this.#isAsked) {
      this.#isAsked = true;
      requestAnimationFrame(() => {
        this.#isAsked = false;
        this.#paint();
      });
    }
  }

  destroy() {
    this.#observer.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
  }

  #paint() {
    const {width, height} = this.element.getBoundingClientRect();
    if (!width || !this.#peaks) {
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    const pen = this.#canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(this.element).color;
    const bars = Math.max(1, Math.floor(width / BAR_PX));
    const step = this.#canvas.width / bars;
    const middle = this.#canvas.height / 2;
    this.#peaks.columns(bars).forEach((peak, bar) => {
      const half = Math.max((LEAST_PX * ratio) / 2, Math.min(1, peak / this.#highest) * (middle - ratio));
      pen.fillRect(bar * step, middle - half, step * (1 - GAP_RATIO), 2 * half);
    });
  }
}

/** A press moves playback, a stroke of some width chooses a span. */
function listenToPointer(element, onSeek, onSpan) {
  const LEAST_STROKE_PX = 8;
  let from = null;
  const shareOf = (event) => {
    const {left, width} = element.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width));
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button === 0) {
      from = {x: event.clientX, share: shareOf(event)};
      element.setPointerCapture(event.pointerId);
    }
  });
  element.addEventListener("pointerup", (event) => {
    if (from && Math.abs(event.clientX - from.x) >= LEAST_STROKE_PX) {
      const shares = [from.share, shareOf(event)].sort((a, b) => a - b);
      onSpan(...shares);
    } else if (from) {
      onSeek(from.share);
    }
    from = null;
  });
  element.addEventListener("pointercancel", () => {
    from = null;
  });
}
