/** The last hour: five plots, and what failed by its code. */

import {el, replaceChildren} from "../dom.js";
import {failureWords} from "../shell/problem_words.js";
import {makePlot} from "./plot.js";
import {number, plain, wait} from "./words.js";

const KINDS = ["separated", "copied", "failed", "cancelled"];

/** The panel. `update(history)` draws what `GET /v1/operator/history` tells; onCode is told of a code that is chosen. */
export function makeHistoryPanel({text, onCode}) {
  const count = (value) => number(value, text);
  const plots = {
    seconds: makePlot({title: text("operate.plot.seconds"), shape: "line", format: (value) => wait(value, text), text}),
    messages: makePlot({title: text("operate.plot.messages"), shape: "line", format: count, text}),
    outcomes: makePlot({title: text("operate.plot.outcomes"), shape: "bars", format: count, text}),
    audio: makePlot({title: text("operate.plot.audio"), shape: "bars", format: (value) => number(value, text, 1), text}),
    replicas: makePlot({title: text("operate.plot.replicas"), shape: "line", format: count, text}),
  };
  const reading = el("p", {class: "meta warn"});
  const codes = el("ul", {class: "op-codes"});
  const noCodes = el("p", {class: "meta"}, text("operate.noFailures"));
  const sum = el("p", {class: "op-sum"});
  const element = el("section", {class: "card", "aria-labelledby": "op-history"},
    el("h2", {id: "op-history"}, text("operate.history")), reading,
    el("div", {class: "op-plots"}, Object.values(plots).map((each) => each.element)),
    el("h3", {}, text("operate.outcomes")), sum, noCodes, codes);

  function update(history) {
    const toMs = Date.parse(history.now);
    const span = {fromMs: toMs - history.span_s * 1000, toMs};
    const sampled = {...span, knownFromMs: history.begins_at && Date.parse(history.begins_at)};
    drawSamples(plots, history.samples, sampled, text);
    drawOutcomes(plots, history.minutes, {...span, knownFromMs: span.fromMs}, text);
    reading.textContent = history.has_read_all ? "" : text("operate.stillReading");
    const totals = KINDS.map((kind) => text(`operate.sum.${kind}`, {count: count(total(history.minutes, kind))}));
    sum.textContent = totals.join(" · ");
    const found = Object.entries(history.codes).sort((a, b) => b[1] - a[1]);
    noCodes.hidden = found.length > 0;
    drawCodes(codes, found, {text, onCode});
  }
  return {element, update};
}

function total(minutes, kind) {
  return minutes.reduce((sum, each) => sum + each[kind], 0);
}

function drawSamples(plots, samples, span, text) {
  for (const name of ["seconds", "messages", "replicas"]) {
    const points = samples.map((each) => ({atMs: Date.parse(each.at), value: each[name]}));
    const last = points.at(-1)?.value ?? null;
    const format = name === "seconds" ? (value) => wait(value, text) : (value) => number(value, text);
    const latest = last === null ? text("operate.gap") : format(last);
    plots[name].update([{name: text(`operate.plot.${name}`), kind: name, points}], {...span, latest});
  }
}

function drawOutcomes(plots, minutes, span, text) {
  const at = minutes.map((each) => Date.parse(each.at));
  const kinds = KINDS.map((kind) => ({name: text(`operate.kind.${kind}`), kind, points: minutes.map((each, place) => ({atMs: at[place], value: each[kind]}))}));
  const last = minutes.at(-1);
  plots.outcomes.update(kinds, {...span, latest: text("operate.thisMinute", {count: number(KINDS.reduce((sum, kind) => sum + last[kind], 0), text)})});
  const audio = minutes.map((each, place) => ({atMs: at[place], value: each.audio_s / 60}));
  const mean = total(minutes, "audio_s") / 3600;
  plots.audio.update([{name: text("operate.plot.audio"), kind: "audio", points: audio}], {...span, latest: text("operate.mean", {value: number(mean, text, 1)})});
}

/** Buttons that are there stay, so that one which has the focus keeps it. */
function drawCodes(list, found, {text, onCode}) {
  const key = JSON.stringify(found);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.code : null;
  replaceChildren(list, found.map(([code, count]) => {
    const words = code === "OTHER" ? text("operate.otherCodes") : failureWords(code, text).happened;
    const label = [el("strong", {}, number(count, text)), el("code", {}, plain(code)), el("span", {class: "meta"}, words)];
    if (code === "OTHER") return el("li", {class: "op-code"}, label);
    return el("li", {}, el("button", {type: "button", class: "quiet op-code", "data-code": code, onclick: () => onCode(code)}, label));
  }));
  if (focused) list.querySelector(`[data-code="${CSS.escape(focused)}"]`)?.focus();
}
