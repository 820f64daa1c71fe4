/** A plot of the last hour: shapes in SVG, words in HTML, and the same figures as a table. */

import {el, replaceChildren, svg} from "../dom.js";
import {timeOfDay} from "./words.js";

const [WIDTH, HEIGHT] = [600, 120];

/**
 * A plot. `update(series, {fromMs, toMs, knownFromMs, latest})` draws it: `series` are {name, kind, points}, where points
 * are {atMs, value} and a value of null is a gap; several series of bars stand on each other. Before knownFromMs
 * nothing is known, and that is shown so.
 * @param {{title: string, shape: "line"|"bars", format: (value: number) => string, text: Function}} options
 */
export function makePlot({title, shape, format, text}) {
  const latest = el("span", {class: "op-latest"});
  const picture = svg("svg", {class: "op-picture", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img"});
  const [top, from, middle, to] = [el("span", {class: "op-top"}), el("span"), el("span"), el("span")];
  const legend = el("p", {class: "op-legend"});
  const unknown = el("p", {class: "meta op-unknown"});
  const body = el("tbody");
  const headings = el("tr");
  const table = el("table", {}, el("caption", {class: "visually-hidden"}, title), el("thead", {}, headings), body);
  const details = el("details", {class: "more"}, el("summary", {}, text("operate.asTable"), el("span", {class: "visually-hidden"}, ` – ${title}`)),
    el("div", {class: "op-scroll", tabindex: "0", role: "region", "aria-label": text("operate.tableOf", {title})}, table));
  details.addEventListener("toggle", () => fillTable());
  const element = el("figure", {class: "op-plot"},
    el("figcaption", {}, el("strong", {}, title), latest),
    el("div", {class: "op-frame"}, top, picture),
    el("div", {class: "op-axis", "aria-hidden": "true"}, from, middle, to), legend, unknown, details);
  let series = [];

  function update(now, span) {
    series = now;
    const most = niceMost(Math.max(0, ...totals(series, shape)));
    const draw = {span, most, shape};
    replaceChildren(picture, svg("line", {class: "op-grid", x1: 0, x2: WIDTH, y1: 1, y2: 1}), unknownBefore(span), series.map((each, place) => drawn(series, place, draw)));
    latest.textContent = span.latest;
    picture.setAttribute("aria-label", text("operate.plotWords", {title, latest: span.latest, most: format(Math.max(0, ...totals(series, shape)))}));
    top.textContent = format(most);
    [from, middle, to].forEach((each, place) => { each.textContent = timeOfDay(span.fromMs + place * (span.toMs - span.fromMs) / 2, text); });
    replaceChildren(legend, series.length > 1 ? series.map((each) => el("span", {class: "op-key"}, el("span", {class: `op-swatch is-${each.kind}`}), each.name)) : []);
    unknown.textContent = span.knownFromMs === null ? text("operate.nothingYet") : span.knownFromMs > span.fromMs + 60000 ? text("operate.knownFrom", {time: timeOfDay(span.knownFromMs, text)}) : "";
    fillTable();
  }

  function fillTable() {
    if (!details.open) return;
    replaceChildren(headings, [text("operate.time"), ...series.map((each) => each.name)].map((name) => el("th", {scope: "col"}, name)));
    const rows = series[0].points.map((point, place) => el("tr", {},
      el("th", {scope: "row"}, timeOfDay(point.atMs, text)),
      series.map((each) => el("td", {}, each.points[place].value === null ? text("operate.gap") : format(each.points[place].value)))));
    replaceChildren(body, rows.reverse());
  }
  return {element, update};
}

function totals(series, shape) {
  if (shape === "line") return series.flatMap((each) => each.points.map((point) => point.value ?? 0));
  return (series[0]?.points ?? []).map((_, place) => series.reduce((sum, each) => sum + (each.points[place].value ?? 0), 0));
}

/** A round number that is no less. */
function niceMost(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value);
}

function unknownBefore({fromMs, toMs, knownFromMs}) {
  const share = knownFromMs === null ? 1 : (knownFromMs - fromMs) / (toMs - fromMs);
  return share > 0 && svg("rect", {class: "op-not-known", x: 0, y: 0, width: Math.min(1, share) * WIDTH, height: HEIGHT});
}

function drawn(series, place, {span, most, shape}) {
  const x = (atMs) => (atMs - span.fromMs) / (span.toMs - span.fromMs) * WIDTH;
  const y = (value) => HEIGHT - value / most * (HEIGHT - 2);
  const {kind, points} = series[place];
  if (shape === "line") return svg("path", {class: `op-line is-${kind}`, d: lines(points, x, y)});
  const width = x(span.fromMs + 60000);
  return points.filter((point) => point.value).map((point, _, __) => {
    const below = series.slice(0, place).reduce((sum, each) => sum + (each.points[points.indexOf(point)].value ?? 0), 0);
    return svg("rect", {class: `op-bar is-${kind}`, x: x(point.atMs) + width * 0.1, y: y(below + point.value), width: width * 0.8, height: y(below) - y(below + point.value)});
  });
}

/** A path through the points, broken where nothing is known. */
function lines(points, x, y) {
  let isDown = false;
  return points.map((point) => {
    if (point.value === null) { isDown = false; return ""; }
    const word = `${isDown ? "L" : "M"}${x(point.atMs).toFixed(1)} ${y(point.value).toFixed(1)}`;
    const dot = isDown ? "" : `h0.01`;  // a single point is seen too
    isDown = true;
    return word + dot;
  }).join("");
}
