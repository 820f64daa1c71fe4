import {el} from "../dom.js";
import {SHORTCUTS} from "./shortcuts.js";

/** The keys that work here, and whether they do. `isOn` tells. */
export class ShortcutHelp {
  #box = el("input", {type: "checkbox", checked: true});

  constructor(text) {
    const rows = SHORTCUTS.map(({shown, does}) =>
      el(
        "div",
        {class: "player-key"},
        el("dt", {}, shown.map((key) => el("kbd", {}, key === "Space" ? text("player.space") : key))),
        el("dd", {}, text(`player.key.${does}`)),
      ),
    );
    this.element = el(
      "details",
      {class: "player-help"},
      el("summary", {}, text("player.keys")),
      el("label", {class: "player-keys-on"}, this.#box, " ", text("player.keysOn")),
      el("dl", {class: "player-keys"}, rows),
    );
  }

  get isOn() {
    return this.#box.checked;
  }

  toggle() {
    this.element.open = !this.element.open;
  }
}
