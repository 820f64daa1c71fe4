/** The operators' view: who waits, who works, the last hour, and what was given up. */

import {el, replaceChildren} from "../dom.js";
import {duration} from "../shell/job_words.js";
import {problemWords} from "../shell/problem_words.js";
import {makeHistoryPanel} from "./history_panel.js";
import {makeJobsPanel} from "./jobs_panel.js";
import {makeLettersPanel} from "./letters_panel.js";
import {Poller} from "./poller.js";
import {makeReplicasPanel} from "./replicas_panel.js";
import {makeWaitingPanel} from "./waiting_panel.js";
import {address} from "./words.js";

const EVERY_S = 5;
const PAGES = ["partitions", "replicas", "jobs", "history"];
const READ_FIRST = ["partitions", "replicas", "jobs"];  // what they read is the history's latest sample

/** Puts the view into an element. @returns {{destroy: () => void}} */
export function mountOperate(element, {api, text}) {
  const view = new OperateView({api, text});
  element.append(view.element);
  return {destroy() { view.end(); element.replaceChildren(); }};
}

class OperateView {
  #loadedAtMs = {};
  #problems = {};
  #ending = new AbortController();

  constructor({api, text}) {
    Object.assign(this, {api, text});
    this.links = {};
    const look = () => this.poller.look();
    this.panels = {
      partitions: makeWaitingPanel({text}),
      replicas: makeReplicasPanel({text}),
      jobs: makeJobsPanel({api, text, onChanged: look}),
      history: makeHistoryPanel({text, onCode: (code) => this.letters.choose(code)}),
    };
    this.letters = makeLettersPanel({api, text, links: this.links, onChanged: look});
    this.stale = el("p", {class: "op-stale", role: "alert", hidden: true});
    this.age = el("p", {class: "op-age", hidden: true});
    this.elsewhere = el("nav", {class: "op-links", "aria-label": text("operate.links"), hidden: true});
    this.live = el("div", {class: "op-live"},
      this.panels.partitions.element,
      el("div", {class: "op-columns"}, this.panels.replicas.element, this.panels.jobs.element),
      this.panels.history.element);
    this.loading = el("p", {class: "meta", role: "status"}, text("operate.loading"));
    this.live.hidden = true;
    this.element = el("div", {class: "operate"},
      el("div", {class: "op-title"}, el("h1", {tabindex: "-1"}, text("operate.heading")), this.elsewhere),
      this.stale, this.age, this.loading, this.live, this.letters.element);
    this.poller = new Poller({everyS: EVERY_S, load: (signal) => this.#load(signal), onLoaded: () => {}, onFailed: () => {}});
    this.ticking = setInterval(() => this.#tellAge(), 1000);
    this.#findLinks();
  }

  end() {
    this.#ending.abort();
    clearInterval(this.ticking);
    this.poller.end();
    this.letters.end();
  }

  /** Each page is drawn as it comes; what could not be had stays as it was. */
  async #load(signal) {
    await Promise.all(READ_FIRST.map((page) => this.#loadPage(page, signal)));
    await this.#loadPage("history", signal);
    if (!signal.aborted) this.#draw();
  }

  async #loadPage(page, signal) {
    try {
      const told = await this.api.json("GET", `/v1/operator/${page}${page === "jobs" ? "?limit=50" : ""}`, {signal});
      if (signal.aborted) return;
      this.panels[page].update(page === "partitions" || page === "jobs" ? told.items : told);
      this.#loadedAtMs[page] = Date.now();
      delete this.#problems[page];
    } catch (problem) {
      this.#problems[page] = problem;
    }
  }

  #draw() {
    const problem = Object.values(this.#problems)[0];
    const hasAny = Object.keys(this.#loadedAtMs).length > 0;
    this.loading.hidden = hasAny || Boolean(problem);
    this.live.hidden = !hasAny;
    for (const page of PAGES) {
      this.panels[page].element.hidden = !(page in this.#loadedAtMs);
      this.panels[page].element.classList.toggle("is-stale", page in this.#problems);
    }
    const words = problem ? `${this.text("operate.notNow")} ${problemWords(problem, this.text)}` : "";
    if (this.stale.textContent !== words) this.stale.textContent = words;
    this.stale.hidden = !problem;
    this.#tellAge();
  }

  /** How old what is greyed is; beside the alert, which would be read out each second. */
  #tellAge() {
    const old = Object.keys(this.#problems).filter((page) => page in this.#loadedAtMs).map((page) => this.#loadedAtMs[page]);
    this.age.hidden = !old.length;
    if (old.length) this.age.textContent = this.text("operate.age", {time: duration((Date.now() - Math.min(...old)) / 1000, this.text)});
  }

  async #findLinks() {
    try {
      Object.assign(this.links, await this.api.json("GET", "/v1/operator/links", {signal: this.#ending.signal}));
    } catch {
      return;  // there is nothing to look at elsewhere, then
    }
    const traces = this.links.traces?.includes("{trace_id}") ? null : this.links.traces;
    const found = [["operate.grafana", this.links.grafana], ["operate.traces", traces]]
      .map(([key, told]) => [key, told && address(told)]).filter(([, href]) => href);
    replaceChildren(this.elsewhere, found.map(([key, href]) => el("a", {class: "button", href, rel: "noreferrer", target: "_blank"}, this.text(key))));
    this.elsewhere.hidden = !found.length;
  }
}
