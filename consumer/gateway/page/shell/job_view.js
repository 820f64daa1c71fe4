/** One job: where it is, why it failed, or its stems to be heard. */

import {el, replaceChildren} from "../dom.js";
import {badge, failureDetails, waitingDetails} from "./job_row.js";
import {clock, jobName} from "./job_words.js";
import {problemWords} from "./problem_words.js";

/**
 * Puts the view of the job `id` into an element; `entitle` is told its name.
 * @returns {{destroy: () => void}}
 */
export function mountJob(element, {text, session, announcer, id, entitle}) {
  const {jobs, api} = session;
  const heading = el("h1", {tabindex: "-1"}, text("job.title"));
  const state = el("span");
  const details = el("div", {class: "details"});
  const actions = el("div", {class: "actions"});
  const stage = el("div", {class: "stage"});
  const meta = el("p", {class: "meta job-meta"});
  const trouble = el("p", {class: "problem", role: "alert"});
  const card = el("div", {class: "card job-card", hidden: true}, details, actions);
  element.append(
    el("p", {class: "back"}, el("a", {href: "#/"}, text("job.back"))),
    el("div", {class: "job-title"}, heading, state),
    meta,
    trouble,
    card,
    stage,
  );
  let shownState = null;
  let player = null;
  let isGone = false;

  async function cancel() {
    try {
      jobs.put(await api.json("DELETE", `/v1/separations/${encodeURIComponent(id)}`));
    } catch (problem) {
      trouble.textContent = problemWords(problem, text);
    }
  }

  async function play(job) {
    try {
      const {mountPlayer} = await import("../player/player_view.js");
      if (!isGone) player ??= mountPlayer(stage, {api, job, text});
    } catch (problem) {
      trouble.textContent = problemWords(problem, text);
    }
  }

  function draw(job) {
    const name = jobName(job);
    heading.textContent = name;
    entitle(name);
    const model = job.request?.model ?? job.result?.model;
    const times = [model, text("job.accepted", {time: clock(job.times.accepted_at, text)}), job.done && text("job.ended", {time: clock(job.times.ended_at, text)})];
    meta.textContent = times.filter(Boolean).join(" · ");
    card.hidden = job.state === "succeeded";
    replaceChildren(
      details,
      !job.done && waitingDetails(job, text),
      job.state === "failed" && [failureDetails(job, text), job.error?.message && el("p", {class: "meta"}, text("job.message"), " ", el("q", {lang: "en"}, job.error.message))],
      job.state === "cancelled" && el("p", {}, text("job.cancelledWords")),
    );
    if (shownState !== job.state) {
      if (shownState) announcer.say(`${name}: ${text(`state.${job.state}`)}.`);
      shownState = job.state;
      replaceChildren(state, badge(job.state, text));
      replaceChildren(actions, !job.done && session.mayWrite && el("button", {type: "button", onclick: cancel}, text("cancel")));
    }
    if (job.state === "succeeded" && !player) play(job);
  }

  const changed = ({detail}) => detail === id && draw(jobs.get(id));
  jobs.addEventListener("change", changed);
  look();

  async function look() {
    if (jobs.get(id)) draw(jobs.get(id));
    try {
      draw(await jobs.lookUp(id));
    } catch (problem) {
      if (isGone || jobs.get(id)) return;
      entitle(text("job.title"));
      trouble.textContent = problem.status === 404 ? text("job.unknown") : problemWords(problem, text);
      card.hidden = problem.status === 404;
      replaceChildren(actions, problem.status !== 404 && el("button", {type: "button", onclick: () => { trouble.textContent = ""; look(); }}, text("again")));
    }
  }

  return {destroy() {
    isGone = true;
    jobs.removeEventListener("change", changed);
    player?.destroy();
    element.replaceChildren();
  }};
}
