/** What surrounds every view: the way around, the language, the end. */

import {el} from "../dom.js";
import {LANGUAGES} from "../texts.js";

/**
 * @param {{text: Function, place: string, scopes: Set<string>|null, onLanguage: Function, onSignOut: Function}} options
 *   scopes: null before sign-in
 * @returns {{element: HTMLElement, main: HTMLElement, live: HTMLElement}}
 */
export function makeFrame({text, place, scopes, onLanguage, onSignOut}) {
  const main = el("main", {id: "main", class: "main", tabindex: "-1"});
  const live = el("div", {class: "visually-hidden", role: "status", "aria-live": "polite"});
  const skip = (event) => { event.preventDefault(); main.focus(); };
  const element = el(
    "div", {class: "frame"},
    el("a", {class: "skip", href: "#main", onclick: skip}, text("skip")),
    el(
      "header", {class: "header"},
      el("a", {class: "brand", href: "#/"}, el("img", {src: "page/icon.svg", alt: "", width: "28", height: "28"}), text("brand")),
      scopes && navigation(text, place, scopes),
      el(
        "div", {class: "header-end"}, languages(text, onLanguage),
        scopes && el("button", {type: "button", class: "quiet", onclick: onSignOut}, text("signOut")),
      ),
    ),
    main,
    live,
  );
  return {element, main, live};
}

function navigation(text, place, scopes) {
  const items = [["home", "#/"]];
  if (scopes.has("operate")) items.push(["operate", "#/operate"]);
  return el(
    "nav", {class: "nav", "aria-label": text("nav.label")},
    items.map(([name, href]) => el("a", {href, "aria-current": currentOf(name, place)}, text(`nav.${name}`))),
  );
}

/** A job is reached from the list, and is no item of its own. */
function currentOf(name, place) {
  if (name === place) return "page";
  return name === "home" && place === "job" ? "true" : null;
}

function languages(text, onLanguage) {
  return el(
    "div", {class: "languages", role: "group", "aria-label": text("language")},
    LANGUAGES.map((language) => el("button", {
      type: "button", class: "quiet", lang: language, "data-language": language,
      "aria-pressed": String(language === text.language), title: text(`language.${language}`),
      "aria-label": text(`language.${language}`), onclick: () => onLanguage(language),
    }, language.toUpperCase())),
  );
}
