import {el} from "../dom.js";
import {saveBlob, saveFrom, saveWithKey} from "./downloads.js";
import {mixBlob} from "./mix_export.js";
import {problemWords} from "./words.js";

/** Saves a job's files: one stem, all of them as a zip, and the mix as it is set. */
export class Saver {
  #api;
  #job;
  #readers;
  #text;
  #say;
  #path;
  #mixing = null;
  #ending = new AbortController();

  /** `readers` are those of the stems, by name; `say(words)` tells what goes on, "" for nothing. */
  constructor({api, job, readers, text, say}) {
    this.#api = api;
    this.#job = job;
    this.#readers = readers;
    this.#text = text;
    this.#say = say;
    this.#path = `/v1/separations/${encodeURIComponent(job.id)}`;
  }

  /** The buttons for all stems and for the mix; `mix()` gives what mixBlob needs, once the stems are open. */
  buttons(mix) {
    const button = (key, onclick) => el("button", {type: "button", onclick}, this.#text(key));
    this.mixButton = button("player.mix", () => this.saveMix(mix));
    return el("div", {class: "player-files"}, button("player.archive", () => this.saveArchive()), this.mixButton);
  }

  /** `fileName` is what the browser is told to call it; the store may call it otherwise. */
  saveStem(name, fileName) {
    const signal = this.#ending.signal;
    return this.#saving(async () => {
      const address = await this.#readers[name].address(signal);
      const path = `${this.#path}/stems/${encodeURIComponent(name)}`;
      await (address ? saveFrom(address, fileName) : saveWithKey(this.#api, path, fileName, signal));
    });
  }

  saveArchive() {
    return this.#saving(() => saveWithKey(this.#api, `${this.#path}/archive`, `${this.#job.id}.zip`, this.#ending.signal));
  }

  /** Makes the mix as it is set now; pressed again, it stops. */
  async saveMix(mix) {
    if (this.#mixing) {
      this.#mixing.abort();
      return;
    }
    const mine = new AbortController();
    this.#mixing = mine;
    const onProgress = (share) => {
      this.mixButton.textContent = this.#text("player.mixing", {percent: Math.round(100 * share)});
    };
    try {
      onProgress(0);
      const signal = AbortSignal.any([mine.signal, this.#ending.signal]);
      saveBlob(await mixBlob({...(await mix()), signal, onProgress}), `${this.#job.id}.mix.wav`);
    } catch (error) {
      if (!mine.signal.aborted && !this.#ending.signal.aborted) {
        this.#say(problemWords(error, this.#text));
      }
    } finally {
      this.#mixing = null;
      this.mixButton.textContent = this.#text("player.mix");
    }
  }

  destroy() {
    this.#ending.abort();
  }

  async #saving(save) {
    this.#say(this.#text("player.saving"));
    try {
      await save();
      this.#say("");
    } catch (error) {
      if (!this.#ending.signal.aborted) {
        this.#say(problemWords(error, this.#text));
      }
    }
  }
}
