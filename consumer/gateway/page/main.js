/** Where the page starts: language, sign-in, and the view that the address names. */

import {el, replaceChildren} from "./dom.js";
import {Announcer} from "./shell/announcer.js";
import {makeFrame} from "./shell/frame.js";
import {takeHandedOver} from "./shell/handed_over.js";
import {mountHome} from "./shell/home_view.js";
import {mountJob} from "./shell/job_view.js";
import {Session, signIn} from "./shell/session.js";
import {mountSignIn} from "./shell/sign_in.js";
import {chooseLanguage, makeText} from "./texts.js";

/** The page as a whole: one of them, for as long as it is open. */
class Page {
  #root = document.getElementById("page");
  #text = makeText(chooseLanguage(navigator.languages));
  #session = null;
  #view = null;
  #shows = 0;

  start() {
    window.addEventListener("hashchange", () => this.#moved());
    window.addEventListener("beforeunload", (event) => {
      if (this.#session?.isSending) event.preventDefault();
    });
    window.addEventListener("pagehide", () => this.#signOut()); // also where the browser keeps the page for "back"
    window.addEventListener("pageshow", (event) => event.persisted && this.#show());
    this.#moved();
  }

  async #moved() {
    const handed = takeHandedOver();
    if (!handed || this.#session) return this.#show(); // nobody is put under another's key by a link
    this.#show("signIn.checking");
    try {
      await this.#signIn(handed);
    } catch (problem) {
      this.#show(problem.status === 401 ? "signIn.handedOverRefused" : "signIn.unreachable");
    }
  }

  async #signIn(credentials) {
    const session = await signIn(credentials, () => this.#refused());
    this.#signOut();
    this.#session = session;
    session.start();
    this.#show();
  }

  #signOut() {
    this.#session?.end();
    this.#session = null;
  }

  #refused() {
    if (!this.#session) return;
    this.#signOut();
    this.#show("signIn.refusedLater");
  }

  #choose(language) {
    this.#text = makeText(language);
    this.#show();
    document.querySelector(`[data-language="${language}"]`)?.focus();
  }

  /** Draws the view that the address names. @param {string} [note] key of a text for who has to sign in */
  async #show(note) {
    const shows = ++this.#shows;
    this.#view?.destroy();
    this.#view = null;
    const text = this.#text;
    document.documentElement.lang = text.language;
    const place = placeOf(location.hash);
    const frame = makeFrame({
      text, place: place.name, scopes: this.#session?.scopes ?? null,
      onLanguage: (language) => this.#choose(language),
      onSignOut: () => { this.#signOut(); this.#show(); },
    });
    replaceChildren(this.#root, frame.element);
    if (!this.#session) {
      this.#entitle(text("signIn.title"));
      this.#view = mountSignIn(frame.main, {text, note, onSignIn: (credentials) => this.#signIn(credentials)});
      return;
    }
    const tools = {text, session: this.#session, announcer: new Announcer(frame.live)};
    const view = await mount(place, frame.main, tools, (title) => this.#entitle(title));
    if (shows === this.#shows) this.#view = view;
    else view.destroy();
    if (document.activeElement === document.body) frame.main.querySelector("h1")?.focus({preventScroll: true});
  }

  #entitle(title) {
    document.title = `${title} – ${this.#text("brand")}`;
  }
}

function placeOf(hash) {
  const [, first, second] = decodeURIComponentOrNot(hash.slice(1)).split("/");
  if (first === "jobs" && second) return {name: "job", id: second};
  return {name: first === "operate" ? "operate" : "home"};
}

function decodeURIComponentOrNot(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

async function mount(place, main, tools, entitle) {
  const {text, session} = tools;
  if (place.name === "job") {
    entitle(text("job.title"));
    return mountJob(main, {...tools, id: place.id, entitle});
  }
  if (place.name === "operate") {
    entitle(text("nav.operate"));
    if (!session.scopes.has("operate")) return notAllowed(main, text);
    const {mountOperate} = await import("./operate/operate_view.js");
    return mountOperate(main, {api: session.api, text});
  }
  entitle(text("home.title"));
  return mountHome(main, tools);
}

function notAllowed(main, text) {
  main.append(el("h1", {tabindex: "-1"}, text("notAllowed.title")), el("p", {}, text("notAllowed.text")));
  return {destroy() {}};
}

new Page().start();
