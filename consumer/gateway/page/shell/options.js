/** What is wanted of a track: stems, format and span. All there is to choose from is what the API says. */

import {el, replaceChildren} from "../dom.js";
import {parseTime} from "./time_field.js";

const USUAL_KBPS = [64, 96, 128, 160, 192, 256, 320];
const DEFAULT_KBPS = 128;

/** The stems of a model in words, such as "Vocals, Drums". @param {string[]} stems */
export function stemWords(stems, text) {
  return stems.map((name) => (text.has(`stem.${name}`) ? text(`stem.${name}`) : name)).join(", ");
}

/**
 * Fields to choose by.
 * @param {{models: {name: string, stems: string[]}[], limits: Object, text: Function}} options
 * @returns {{element: HTMLElement, read: () => {body: Object}|{trouble: string}}} read: what was chosen, as POST takes
 *   it without its source, or a sentence about what can't be used
 */
export function makeOptions({models, limits, text}) {
  const groups = grouped(models);
  const variant = select("variant");
  const format = select("format", limits.formats.map((name) => [name, name.toUpperCase()]));
  const bitrate = select("bitrate");
  const bitrateField = labelled(text("options.bitrate"), bitrate);
  const high = select("high", limits.high_frequencies.map((name) => [name, text.has(`high.${name}`) ? text(`high.${name}`) : name]));
  const start = timeField("start");
  const length = timeField("length");
  const trouble = el("p", {id: "span-problem", class: "problem", role: "alert"});
  const choices = [...groups.values()].map((group, at) => choice(group, at === 0));
  const chosen = () => choices[Math.max(0, choices.findIndex(({input}) => input.checked))].group;

  function choice(group, isFirst) {
    const input = el("input", {type: "radio", name: "stems", value: group[0].name, checked: isFirst, onchange: showVariants});
    return {group, input, element: el(
      "label", {class: "choice"}, input,
      el("span", {class: "choice-words"}, el("strong", {}, text("options.count", {count: group[0].stems.length})), el("span", {}, stemWords(group[0].stems, text))),
    )};
  }

  function showVariants() {
    replaceChildren(variant, chosen().map((model) => el("option", {value: model.name}, model.name)));
  }

  function showBitrates() {
    const range = limits.bitrates[format.value];
    bitrateField.hidden = !range;
    const rates = range ? (range.steps_bps?.map((bps) => bps / 1000) ?? USUAL_KBPS.filter((kbps) => kbps * 1000 >= range.lowest_bps && kbps * 1000 <= range.highest_bps)) : [];
    replaceChildren(bitrate, rates.map((kbps) => el("option", {value: `${kbps}k`, selected: kbps === DEFAULT_KBPS}, `${kbps} kbit/s`)));
  }

  function read() {
    const [startS, durationS] = [parseTime(start.value), parseTime(length.value)];
    for (const [field, value] of [[start, startS], [length, durationS]]) field.setAttribute("aria-invalid", String(Number.isNaN(value)));
    const wrong = [[start, startS], [length, durationS]].find(([, value]) => Number.isNaN(value));
    trouble.textContent = wrong ? text("options.spanTrouble") : "";
    if (wrong) {
      wrong[0].closest("details").open = true;
      wrong[0].focus();
      return {trouble: trouble.textContent};
    }
    const output = {format: format.value, ...(limits.bitrates[format.value] ? {bitrate: bitrate.value} : {})};
    const span = {...(startS === null ? {} : {start_s: startS}), ...(durationS === null ? {} : {duration_s: durationS})};
    return {body: {model: variant.value, output, high_frequencies: high.value, ...span}};
  }

  format.addEventListener("change", showBitrates);
  showVariants();
  showBitrates();
  const element = el(
    "div", {class: "options"},
    el("fieldset", {class: "choices"}, el("legend", {}, text("options.stems")), choices.map((each) => each.element)),
    el("div", {class: "fields"}, labelled(text("options.format"), format), bitrateField),
    el(
      "details", {class: "more"},
      el("summary", {}, text("options.more")),
      el(
        "div", {class: "fields"},
        labelled(text("options.start"), start), labelled(text("options.length"), length),
        labelled(text("options.variant"), variant), labelled(text("options.high"), high),
      ),
      el("p", {id: "span-hint", class: "hint"}, text("options.spanHint")),
      trouble,
    ),
  );
  return {element, read};
}

function grouped(models) {
  const groups = new Map();
  for (const model of models) groups.set(model.stems.join(), [...(groups.get(model.stems.join()) ?? []), model]);
  return groups;
}

function select(id, options = []) {
  return el("select", {id}, options.map(([value, words]) => el("option", {value}, words)));
}

function timeField(id) {
  return el("input", {id, type: "text", inputmode: "text", autocomplete: "off", placeholder: "0:00", "aria-describedby": "span-hint span-problem"});
}

/** A field under its label. */
export function labelled(words, field) {
  return el("div", {class: "field"}, el("label", {htmlFor: field.id}, words), field);
}
