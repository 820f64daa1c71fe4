/** Dead letters: the latest, of all codes or of one; each opens to its record. */

import {el, replaceChildren} from "../dom.js";
import {problemWords} from "../shell/problem_words.js";
import codes from "../texts/codes.js";
import {makeLetter} from "./letter.js";
import {Poller} from "./poller.js";

const FEW = 20;
const MANY = 100;
const EVERY_S = 15;
const CODES = Object.keys(codes.en).map((key) => key.split(".")).filter((parts) => parts.length === 2 && parts[1] !== "unknown").map((parts) => parts[1]);

/** The panel, which looks for letters by itself until `end()`. `choose(code)` shows those of one code. */
export function makeLettersPanel({api, text, links, onChanged}) {
  const filter = el("select", {id: "op-code", onchange: () => begin()},
    el("option", {value: ""}, text("operate.allCodes")),
    CODES.map((code) => el("option", {value: code}, code)));
  const rows = el("ul", {class: "op-rows"});
  const said = el("p", {class: "meta", role: "status"}, text("operate.loading"));
  const more = el("button", {type: "button", hidden: true, onclick: showMore}, text("operate.moreLetters"));
  const heading = el("h2", {id: "op-letters", tabindex: "-1"}, text("operate.letters"));
  const element = el("section", {class: "card", "aria-labelledby": "op-letters"},
    heading, el("p", {class: "meta"}, text("operate.lettersHint")),
    el("div", {class: "field op-filter"}, el("label", {htmlFor: "op-code"}, text("operate.code")), filter), said, rows, more);
  const known = new Map();
  let limit = FEW;
  let poller = null;

  function begin() {
    poller?.end();
    limit = FEW;
    known.clear();
    replaceChildren(rows);
    more.hidden = true;
    said.className = "meta";
    said.textContent = text("operate.loading");
    poller = new Poller({everyS: EVERY_S, load, onLoaded: update, onFailed});
  }

  function load(signal) {
    const code = filter.value ? `&code=${filter.value}` : "";
    return api.json("GET", `/v1/operator/dead-letters?limit=${limit}${code}`, {signal});
  }

  function update({items}) {
    said.className = "meta";
    said.textContent = items.length ? "" : text("operate.noLetters");
    const wanted = new Set(items.map((each) => each.place));
    for (const [place, row] of known) {
      if (!wanted.has(place) && !row.contains(document.activeElement)) { row.remove(); known.delete(place); }
    }
    let before = rows.firstElementChild;
    for (const letter of items) {  // those that are there stay where they are, open or not
      const row = known.get(letter.place) ?? makeRow(letter);
      if (row === before) before = before.nextElementSibling;
      else rows.insertBefore(row, before);
      known.set(letter.place, row);
    }
    more.hidden = limit >= MANY || items.length < limit;
  }

  function makeRow(letter) {
    if (letter.code === undefined) return el("li", {class: "op-row"}, el("p", {class: "meta"}, text("operate.noLetter", {place: letter.place})));
    return makeLetter(letter, {api, text, links, onSent: () => { poller.look(); onChanged(); }});
  }

  function onFailed(problem) {
    said.className = "problem";
    said.textContent = known.size ? text("operate.lettersOld", {why: problemWords(problem, text)}) : problemWords(problem, text);
  }

  function showMore() {
    limit = MANY;
    heading.focus();
    poller.look();
  }

  function choose(code) {
    filter.value = code;
    begin();
    element.scrollIntoView({block: "start"});
    heading.focus({preventScroll: true});
  }

  begin();
  return {element, choose, end: () => poller.end()};
}

