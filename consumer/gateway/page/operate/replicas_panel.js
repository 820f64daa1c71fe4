/** Which replicas there are, and what each does. */

import {el, replaceChildren} from "../dom.js";
import {progressBar} from "../shell/job_row.js";
import {ago, number, plain} from "./words.js";

/** The panel. `update(group)` draws what `GET /v1/operator/replicas` tells. */
export function makeReplicasPanel({text}) {
  const rows = el("ul", {class: "op-rows"});
  const state = el("p", {class: "meta"});
  const element = el("section", {class: "card", "aria-labelledby": "op-replicas"},
    el("h2", {id: "op-replicas"}, text("operate.replicas")), state, rows);

  function update(group) {
    const members = group.items.filter((each) => each.member_id !== null).length;
    const count = members === 1 ? text("operate.oneReplica") : text("operate.manyReplicas", {count: number(members, text)});
    state.textContent = members ? `${count} ${text("operate.group", {state: groupState(group.state, text)})}` : text("operate.noReplicas");
    replaceChildren(rows, group.items.map((each) => row(each, text)));
  }
  return {element, update};
}

function groupState(state, text) {
  return text.has(`operate.group.${state}`) ? text(`operate.group.${state}`) : state;
}

function row(replica, text) {
  const name = plain(replica.instance_id ?? `${replica.client_id} ${replica.host}`);
  return el("li", {class: "op-row"},
    el("div", {class: "op-row-head"},
      el("strong", {}, name),
      replica.member_id === null && el("span", {class: "badge is-warn"}, text("operate.noMember")),
      el("span", {class: "meta"}, partitionsOf(replica, text))),
    replica.jobs.length ? replica.jobs.map((each) => jobOf(each, text)) : el("p", {class: "meta"}, text("operate.atNothing")));
}

function partitionsOf(replica, text) {
  if (replica.member_id === null) return "";
  const byTopic = new Map();
  for (const {topic, partition} of replica.partitions) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  if (!byTopic.size) return text("operate.standsBy");
  return [...byTopic].map(([topic, numbers]) => `${plain(topic)}: ${numbers.join(", ")}`).join(" · ");
}

function jobOf(job, text) {
  const stage = text.has(`stage.${job.stage}`) ? text(`stage.${job.stage}`) : text("stage.other", {stage: plain(job.stage)});
  const attempt = job.attempt > 1 ? ` · ${text("operate.attempt", {attempt: job.attempt})}` : "";
  return el("div", {class: "op-job"},
    el("p", {class: "op-figures"}, el("code", {}, plain(job.id)), ` ${stage} · ${text("operate.since", {time: ago(job.since, text)})}${attempt}`),
    progressBar(text("operate.progressOf", {id: plain(job.id)}), job.progress, text));
}
