/** Is anyone waiting, and for how long: the worst partition in words, then each that waits. */

import {el, icon, replaceChildren} from "../dom.js";
import {duration} from "../shell/job_words.js";
import {number, plain, waiting} from "./words.js";

const FEW = 8;  // partitions that are shown at once
const ALARMS = new Set(["nobody", "stuck", "held"]);
const CONCERNS = new Set(["overtaken", "unknown"]);
const SIGNS = {
  alarm: "M12 3 2 20h20L12 3zm0 6v5m0 3v.5",
  concern: "M12 3 2 20h20L12 3zm0 6v5m0 3v.5",
  calm: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zm0-14v5l3 2",
  clear: "m5 12 5 5 9-10",
};

/** The panel. `update(partitions)` draws what `GET /v1/operator/partitions` tells, the worst first. */
export function makeWaitingPanel({text}) {
  const headline = el("div", {class: "op-headline"});
  const live = el("p", {class: "visually-hidden", role: "status"});
  const rows = el("ul", {class: "op-rows"});
  const [restWords, restRows] = [el("summary"), el("ul", {class: "op-rows"})];
  const rest = el("details", {class: "more", hidden: true}, restWords, restRows);
  const clear = el("p", {class: "meta"});
  const element = el("section", {"aria-labelledby": "op-waiting"}, live, headline, rows, rest, clear);
  let said = "";

  function update(partitions) {
    const waits = partitions.filter((each) => each.standing !== "clear");
    replaceChildren(headline, headlineOf(waits, text));
    headline.className = `op-headline is-${moodOf(waits[0])}`;
    replaceChildren(rows, waits.slice(0, FEW).map((each) => row(each, text)));
    rest.hidden = waits.length <= FEW;
    restWords.textContent = text("operate.rest", {count: number(waits.length - FEW, text)});
    replaceChildren(restRows, waits.slice(FEW).map((each) => row(each, text)));
    const count = partitions.length - waits.length;
    clear.textContent = text(count === 1 ? "operate.oneClear" : "operate.clear", {count: number(count, text)});
    const key = JSON.stringify([waits[0]?.topic, waits[0]?.partition, moodOf(waits[0])]);
    if (key !== said) {  // once for each change: figures change all the time
      live.textContent = headline.querySelector("h2").textContent;
      said = key;
    }
  }
  return {element, update};
}

function moodOf(worst) {
  if (!worst) return "clear";
  if (ALARMS.has(worst.standing)) return "alarm";
  return CONCERNS.has(worst.standing) ? "concern" : "calm";
}

function headlineOf(waits, text) {
  const [worst] = waits;
  const mood = moodOf(worst);
  const title = (words) => el("h2", {id: "op-waiting"}, icon(SIGNS[mood]), el("span", {}, words));
  if (mood === "clear") return [title(text("operate.nobodyWaits")), el("p", {}, text("operate.nobodyWaitsWords"))];
  if (mood === "calm") {
    const messages = waits.reduce((sum, each) => sum + each.messages, 0);
    const seconds = Math.max(...waits.map((each) => each.seconds));
    return [title(waiting(messages, text)), el("p", {}, text("operate.calm", {time: duration(seconds, text)}))];
  }
  const more = waits.filter((each) => ALARMS.has(each.standing)).length - 1;
  return [
    title(text(`operate.title.${worst.standing}`, named(worst))),
    el("p", {}, howMuch(worst, text), " ", text(`operate.why.${worst.standing}`, named(worst))),
    el("p", {class: "op-todo"}, text(`operate.todo.${worst.standing}`, named(worst))),
    more > 0 && el("p", {}, text(more === 1 ? "operate.oneMore" : "operate.more", {count: number(more, text)})),
  ];
}

function named(partition) {
  return {topic: plain(partition.topic), partition: partition.partition, replica: plain(partition.owner ?? "")};
}

function howMuch(partition, text) {
  if (!partition.messages) return text("operate.held", {count: number(partition.held, text), time: duration(partition.held_seconds, text)});
  if (partition.messages === 1) return text("operate.oneWaitsFor", {time: duration(partition.seconds, text)});
  return `${waiting(partition.messages, text)}, ${text("operate.oldest", {time: duration(partition.seconds, text)})}.`;
}

function row(partition, text) {
  const mood = moodOf(partition);
  const badge = {alarm: "is-failed", concern: "is-warn", calm: "is-running"}[mood];
  return el("li", {class: "op-row"},
    el("div", {class: "op-row-head"},
      el("strong", {}, text("operate.partition", {partition: partition.partition})),
      el("span", {class: `badge ${badge}`}, text(`operate.standing.${partition.standing}`)),
      el("span", {class: "meta"}, plain(partition.topic))),
    el("p", {class: "op-figures"}, howMuch(partition, text), partition.owner && ` ${text("operate.owner", named(partition))}`));
}
