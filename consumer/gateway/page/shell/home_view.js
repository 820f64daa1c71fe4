/** Sending, and the queue below it. */

import {el, replaceChildren} from "../dom.js";
import {makeEntryRow} from "./entry_row.js";
import {makeJobRow} from "./job_row.js";
import {jobName} from "./job_words.js";
import {failureWords, problemWords} from "./problem_words.js";
import {makeSendForm} from "./send_form.js";

/** Puts the view into an element. @returns {{destroy: () => void}} */
export function mountHome(element, {text, session, announcer}) {
  const send = el("div");
  const queue = makeQueue({text, session, announcer});
  element.append(
    el("h1", {tabindex: "-1"}, text("home.heading")),
    el("p", {class: "lead"}, text("home.lead")),
    session.mayWrite && session.mayRead ? send : el("p", {class: "card"}, text("home.readOnly")),
    session.mayRead && queue.element,
  );
  let form = null;
  let isGone = false;
  if (session.mayWrite && session.mayRead) showForm();

  async function showForm() {
    try {
      const [models, limits] = await Promise.all(["/v1/models", "/v1/limits"].map((path) => session.api.json("GET", path)));
      if (isGone) return;
      form = makeSendForm({text, session, models: models.items, limits});
      replaceChildren(send, form.element);
    } catch (problem) {
      replaceChildren(send, el(
        "div", {class: "card"}, el("p", {class: "problem", role: "alert"}, problemWords(problem, text)),
        el("button", {type: "button", onclick: showForm}, text("again")),
      ));
    }
  }

  return {destroy() {
    isGone = true;
    form?.destroy();
    queue.destroy();
    element.replaceChildren();
  }};
}

function makeQueue({text, session, announcer}) {
  const {jobs, outbox} = session;
  const list = el("ul", {class: "jobs"});
  const note = el("p", {class: "meta", role: "status"});
  const more = el("button", {type: "button", onclick: () => jobs.loadMore()}, text("queue.more"));
  const rows = new Map();
  const states = new Map();

  function row(key, make) {
    if (!rows.has(key)) rows.set(key, make());
    return rows.get(key);
  }

  function draw() {
    const sending = new Set(outbox.entries.map((entry) => entry.sentAs)); // shown as they are sent, until that has ended
    const listed = jobs.all.filter((job) => !sending.has(job.metadata?.sent_as));
    const shown = [
      ...outbox.entries.map((entry) => [entry, row(entry, () => makeEntryRow({text, outbox, entry}))]),
      ...listed.map((job) => [job.id, row(job.id, () => makeJobRow({text, session}))]),
    ];
    for (const [key, {update}] of shown) update(jobs.get(key));
    for (const key of rows.keys()) if (!shown.some(([each]) => each === key)) rows.delete(key);
    arrange(list, shown.map(([, {element}]) => element));
    more.hidden = !jobs.hasMore;
    note.textContent = noteWords(jobs, shown.length, text);
    note.hidden = !note.textContent;
  }

  function changed({detail: id}) {
    const job = id && jobs.get(id);
    if (job) announce(job);
    if (job && rows.has(id)) rows.get(id).update(job);
    else draw();
  }

  function announce(job) {
    const before = states.get(job.id);
    states.set(job.id, job.state);
    if (!before || before === job.state) return;
    const why = job.state === "failed" ? ` ${failureWords(job.error?.code, text).happened}` : "";
    announcer.say(`${jobName(job)}: ${text(`state.${job.state}`)}.${why}`);
  }

  jobs.all.forEach((job) => states.set(job.id, job.state));
  jobs.addEventListener("change", changed);
  const entryChanged = ({detail: entry}) => (rows.has(entry) && outbox.entries.includes(entry) ? rows.get(entry).update() : draw());
  outbox.addEventListener("change", entryChanged);
  draw();
  const element = el(
    "section", {class: "queue", "aria-labelledby": "queue-heading"},
    el("h2", {id: "queue-heading"}, text("queue.heading")), note, list, more,
  );
  return {element, destroy() {
    jobs.removeEventListener("change", changed);
    outbox.removeEventListener("change", entryChanged);
  }};
}

function noteWords(jobs, count, text) {
  const problem = jobs.streamProblem ?? jobs.state;
  if (problem instanceof Error && problem.status > 0) return problemWords(problem, text);
  if (!jobs.isLive) return text(jobs.state === "ready" ? "queue.cut" : "queue.loading");
  if (jobs.state === "loading") return text("queue.loading");
  if (jobs.state instanceof Error) return text("queue.cut");
  return count === 0 ? text("queue.empty") : "";
}

/** Puts elements into a list in this order, moving only those that are elsewhere: what has focus keeps it. */
function arrange(list, elements) {
  for (const child of [...list.children]) if (!elements.includes(child)) child.remove();
  elements.forEach((element, at) => {
    if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
  });
}
