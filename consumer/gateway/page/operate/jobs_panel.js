/** The jobs of all tenants that have not ended, those first that wait longest; each can be cancelled. */

import {el, replaceChildren} from "../dom.js";
import {badge} from "../shell/job_row.js";
import {problemWords} from "../shell/problem_words.js";
import {ago, plain} from "./words.js";

/** The panel. `update(jobs)` draws what `GET /v1/operator/jobs` tells; rows that stay keep their focus. */
export function makeJobsPanel({api, text, onChanged}) {
  const rows = el("ul", {class: "op-rows op-jobs"});
  const none = el("p", {class: "meta"}, text("operate.noJobs"));
  const element = el("section", {class: "card", "aria-labelledby": "op-jobs"},
    el("h2", {id: "op-jobs", tabindex: "-1"}, text("operate.jobs")), el("p", {class: "meta"}, text("operate.jobsHint")), none, rows);
  const known = new Map();

  function update(jobs) {
    none.hidden = jobs.length > 0;
    const wanted = new Set(jobs.map((each) => each.id));
    for (const [id, row] of known) if (!wanted.has(id)) leave(id, row);
    jobs.forEach((job, place) => {
      if (!known.has(job.id)) known.set(job.id, makeRow(job, {api, text, onChanged}));
      const row = known.get(job.id);
      row.update(job);
      if (rows.children[place] !== row.element) rows.insertBefore(row.element, rows.children[place] ?? null);
    });
  }

  function leave(id, row) {
    if (row.element.contains(document.activeElement)) element.querySelector("h2").focus();
    row.element.remove();
    known.delete(id);
  }
  return {element, update};
}

function makeRow(first, {api, text, onChanged}) {
  const head = el("div", {class: "op-row-head"});
  const meta = el("p", {class: "op-figures"});
  const said = el("p", {class: "problem", role: "status"});
  const ask = el("button", {type: "button", "aria-label": text("operate.cancelOf", {id: plain(first.id)}), onclick: sure}, text("cancel"));
  const yes = el("button", {type: "button", class: "primary", onclick: cancel}, text("operate.cancelYes"));
  const no = el("button", {type: "button", onclick: back}, text("operate.cancelNo"));
  const question = el("div", {class: "op-question", role: "group", "aria-label": text("operate.cancelSure", {id: plain(first.id)}), hidden: true},
    el("span", {}, text("operate.cancelSure", {id: plain(first.id.slice(0, 12))})), yes, no);
  question.addEventListener("keydown", (event) => { if (event.key === "Escape") back(); });
  const element = el("li", {class: "op-row op-jobrow"}, head, meta, el("div", {class: "op-actions"}, ask, question), said);

  function sure() {
    [ask.hidden, question.hidden] = [true, false];
    no.focus();
  }

  function back() {
    [ask.hidden, question.hidden] = [false, true];
    ask.focus();
  }

  async function cancel() {
    back();
    ask.disabled = true;
    try {
      await api.json("POST", `/v1/operator/jobs/${encodeURIComponent(first.id)}/cancel`);
      said.className = "meta";
      said.textContent = text("operate.cancelAsked");
    } catch (problem) {
      ask.disabled = false;
      said.className = "problem";
      said.textContent = problemWords(problem, text);
    }
    onChanged();
  }

  function update(job) {
    replaceChildren(head, el("code", {}, plain(job.id)), badge(job.state, text));
    const whose = job.tenant === null ? text("operate.noTenant") : text("operate.tenant", {tenant: plain(job.tenant)});
    const place = text("operate.jobPlace", {partition: job.partition, offset: job.offset});
    meta.textContent = `${text("operate.acceptedAgo", {time: ago(job.accepted_at, text)})} · ${whose} · ${place}`;
  }
  return {element, update};
}
