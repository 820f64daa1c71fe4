/** One job in the list: a card that is kept and changed in place, so that focus stays where it is. */

import {el, replaceChildren} from "../dom.js";
import {clock, jobName, percent, placeWords, timeWords} from "./job_words.js";
import {failureWords, problemWords} from "./problem_words.js";

/** The state of a job as a word in a coloured frame; the word alone says all. */
export function badge(state, text) {
  return el("span", {class: `badge is-${state}`}, text(`state.${state}`));
}

/** A bar and its percentage; without a share the bar only says that something goes on. */
export function progressBar(label, share, text) {
  const bar = el("progress", {class: "bar", max: "1", value: share ?? undefined, "aria-label": label});
  if (share === null) bar.removeAttribute("value");
  return el("div", {class: "progress"}, bar, el("span", {class: "share"}, share === null ? "" : percent(share, text)));
}

/** A job that has not ended: its bar, its place and its time to go. */
export function waitingDetails(job, text) {
  const isRunning = job.state === "running";
  return [
    isRunning && progressBar(text("job.progress", {name: jobName(job)}), job.progress ?? null, text),
    el("p", {class: job.eta?.reason === "nobody_works" ? "meta warn" : "meta"}, [placeWords(job, text), timeWords(job, text)].filter(Boolean).join(" · ")),
  ];
}

/** Why a job failed and what to do. */
export function failureDetails(job, text) {
  const {happened, toDo} = failureWords(job.error?.code ?? "", text);
  return [
    el("p", {class: "problem"}, happened),
    el("p", {class: "meta"}, toDo, " ", el("code", {}, job.error?.code ?? "")),
  ];
}

/** A card for a job of the service's. `update(job)` draws it as it is now. */
export function makeJobRow({text, session, onGone}) {
  const title = el("a", {class: "title"});
  const state = el("span");
  const details = el("div", {class: "details"});
  const actions = el("div", {class: "actions"});
  const element = el("li", {class: "job"}, el("div", {class: "job-head"}, title, state), details, actions);
  const problem = el("p", {class: "problem", role: "alert"});
  let shownState = null;
  let id = null;

  async function cancel() {
    problem.textContent = "";
    try {
      session.jobs.put(await session.api.json("DELETE", `/v1/separations/${id}`));
      onGone?.();
    } catch (refused) {
      problem.textContent = problemWords(refused, text);
    }
  }

  function update(job) {
    id = job.id;
    title.textContent = jobName(job);
    title.href = `#/jobs/${encodeURIComponent(job.id)}`;
    const model = job.request?.model ?? job.result?.model;
    replaceChildren(
      details,
      !job.done && waitingDetails(job, text),
      job.state === "failed" && failureDetails(job, text),
      el("p", {class: "meta"}, [model, clock(job.times.accepted_at, text)].filter(Boolean).join(" · ")),
      problem,
    );
    if (job.state === shownState) return;
    shownState = job.state;
    replaceChildren(state, badge(job.state, text));
    replaceChildren(
      actions,
      job.state === "succeeded" && el("a", {class: "button", href: title.href, "aria-label": text("job.listenTo", {name: jobName(job)})}, text("job.listen")),
      !job.done && session.mayWrite && el("button", {type: "button", "aria-label": text("job.cancelOf", {name: jobName(job)}), onclick: cancel}, text("cancel")),
    );
  }

  return {element, update};
}
