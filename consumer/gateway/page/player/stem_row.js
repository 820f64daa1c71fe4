import {el, icon} from "../dom.js";
import {ICONS} from "./icons.js";
import {faderDb} from "./levels.js";
import {Waveform} from "./waveform.js";

/** One stem: its name, mute, solo, volume, its waveform, and its file. */
export class StemRow {
  #text;
  #note = el("p", {class: "stem-note", hidden: true});

  /** `on` has the functions mute, solo, volume (percent), download, choose, seek (share) and span (from, to). */
  constructor({name, title, text, on}) {
    this.#text = text;
    this.name = name;
    this.waveform = new Waveform({onSeek: on.seek, onSpan: on.span});
    this.mute = toggle(text("player.mute"), text("player.muteStem", {stem: title}), on.mute);
    this.solo = toggle(text("player.solo"), text("player.soloStem", {stem: title}), on.solo);
    this.volume = el("input", {
      type: "range", min: 0, max: 100, step: 1, class: "stem-volume", value: 100,
      "aria-label": text("player.volumeOf", {stem: title}),
      oninput: () => on.volume(Number(this.volume.value)),
    });
    this.download = el(
      "button",
      {type: "button", class: "stem-download quiet", "aria-label": text("player.downloadStem", {stem: title}), onclick: on.download},
      icon(ICONS.download),
    );
    this.element = el(
      "li",
      {class: "stem", "data-stem": name, onfocusin: on.choose, onpointerdown: on.choose},
      el("h3", {class: "stem-name"}, title),
      el("div", {class: "stem-controls"}, this.mute, this.solo, this.volume, this.download),
      this.waveform.element,
      this.#note,
    );
  }

  /** `level` is `{percent, isMuted, isSolo}`; `gain` is what comes of it. */
  show(level, gain) {
    this.mute.setAttribute("aria-pressed", String(level.isMuted));
    this.solo.setAttribute("aria-pressed", String(level.isSolo));
    this.volume.value = level.percent;
    const db = faderDb(level.percent);
    const told = Number.isFinite(db)
      ? this.#text("player.volumeValue", {percent: level.percent, db: db.toFixed(1).replace("-0.0", "0.0").replace("-", "−")})
      : this.#text("player.volumeNone");
    this.volume.setAttribute("aria-valuetext", told);
    this.volume.title = told;
    this.element.classList.toggle("is-silent", gain === 0);
  }

  /** What is wrong with it, in words; "" for nothing. */
  note(words) {
    this.#note.textContent = words;
    this.#note.hidden = !words;
    this.element.classList.toggle("is-troubled", Boolean(words));
  }

  markChosen(isChosen) {
    this.element.classList.toggle("is-chosen", isChosen);
  }
}

function toggle(words, label, onclick) {
  return el("button", {type: "button", class: "toggle", "aria-pressed": "false", "aria-label": label, onclick}, words);
}
