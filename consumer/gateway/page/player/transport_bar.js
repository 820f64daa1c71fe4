import {el, icon, replaceChildren} from "../dom.js";
import {ICONS} from "./icons.js";
import {clockText, spokenTime} from "./time_text.js";

const STEP_S = 5;
const LEAP_S = 30;

/** Play and pause, where it is, and the loop. */
export class TransportBar {
  #text;
  #durationS;
  #now = el("span", {class: "player-now"}, clockText(0));
  #isDragged = false;
  #saidAt = null;

  /** `on` has the functions toggle, seek (seconds), loopStart, loopEnd and loop. */
  constructor({text, durationS, on}) {
    this.#text = text;
    this.#durationS = durationS;
    this.play = el("button", {type: "button", class: "player-play", onclick: on.toggle});
    this.seek = el("input", {
      type: "range", class: "player-seek", min: 0, max: durationS.toFixed(3), step: 0.1, value: 0,
      "aria-label": text("player.position"),
      oninput: () => this.#drag(),
      onchange: () => this.#drop(on.seek),
      onkeydown: (event) => this.#key(event, on.seek),
    });
    this.loop = el(
      "button",
      {type: "button", class: "toggle player-loop", "aria-pressed": "false", onclick: on.loop},
      icon(ICONS.loop), " ", text("player.loop"),
    );
    this.span = el("span", {class: "player-span"});
    const mark = (key, onclick) => el("button", {type: "button", class: "quiet", onclick}, text(key));
    this.element = el(
      "div",
      {class: "player-transport"},
      this.play,
      el("div", {class: "player-time"}, this.#now, el("span", {class: "player-total"}, ` / ${clockText(durationS)}`)),
      this.seek,
      el(
        "div",
        {class: "player-loops", role: "group", "aria-label": text("player.loop")},
        this.loop, mark("player.loopStart", on.loopStart), mark("player.loopEnd", on.loopEnd), this.span,
      ),
    );
    this.showState("paused");
    this.showTime(0);
  }

  /** playing, waiting or paused. */
  showState(state) {
    const isOn = state !== "paused";
    if (this.play.dataset.state === state) {
      return;
    }
    this.play.dataset.state = state;
    this.play.setAttribute("aria-label", this.#text(isOn ? "player.pause" : "player.play"));
    replaceChildren(this.play, icon(isOn ? ICONS.pause : ICONS.play));
  }

  /** The second that is heard. What a screen reader is told changes with each whole one. */
  showTime(seconds) {
    if (this.#isDragged) {
      return;
    }
    this.#now.textContent = clockText(seconds);
    this.seek.value = seconds;
    this.#say(seconds);
  }

  /** `loop` is `{startS, endS}` or null; `isOn` whether it is repeated. */
  showLoop(loop, isOn) {
    this.loop.setAttribute("aria-pressed", String(isOn));
    const time = (seconds) => clockText(seconds, {withTenths: true});
    this.span.textContent = loop ? `${time(loop.startS)} – ${time(loop.endS)}` : "";
  }

  #say(seconds) {
    const whole = Math.floor(seconds + 1e-6);
    if (whole !== this.#saidAt) {
      this.#saidAt = whole;
      const [now, total] = [spokenTime(seconds, this.#text), spokenTime(this.#durationS, this.#text)];
      this.seek.setAttribute("aria-valuetext", this.#text("player.positionValue", {now, total}));
    }
  }

  #drag() {
    this.#isDragged = true;
    this.#now.textContent = clockText(Number(this.seek.value));
    this.#say(Number(this.seek.value));
  }

  #drop(seek) {
    this.#isDragged = false;
    seek(Number(this.seek.value));
  }

  #key(event, seek) {
    const by = {ArrowRight: STEP_S, ArrowUp: STEP_S, ArrowLeft: -STEP_S, ArrowDown: -STEP_S, PageUp: LEAP_S, PageDown: -LEAP_S}[event.key];
    if (by && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      seek(Number(this.seek.value) + by);
    }
  }
}
