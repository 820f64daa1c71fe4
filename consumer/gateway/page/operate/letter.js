/** One dead letter: a line that opens to its record, and the way back for it, which is tried before it is gone. */

import {el, replaceChildren} from "../dom.js";
import {problemWords} from "../shell/problem_words.js";
import {recordOf} from "./letter_record.js";
import {bytes, moment, plain} from "./words.js";

/** A row of the list. onSent is called once the record was sent again. */
export function makeLetter(letter, {api, text, links, onSent}) {
  const place = `/v1/operator/dead-letters/${letter.place}`;
  const inside = el("div", {class: "op-letter"});
  const details = el("details", {},
    el("summary", {},
      el("span", {class: "badge is-failed"}, plain(letter.code) || text("operate.noCode")), " ",
      el("span", {class: "op-when"}, moment(letter.failed_at, text)), " ",
      el("code", {}, letter.request_id ? plain(letter.request_id) : text("operate.noId")), " ",
      el("bdi", {class: "op-message"}, plain(letter.message).split("\n")[0])),
    inside);
  let isAsked = false;

  async function open() {
    if (!details.open || isAsked) return;
    isAsked = true;
    replaceChildren(inside, el("p", {class: "meta", role: "status"}, text("operate.loading")));
    try {
      const shown = await api.json("GET", place);
      replaceChildren(inside, recordOf(shown, {text, links}), makeReplay({api, text, place, onSent}));
    } catch (problem) {
      isAsked = false;
      replaceChildren(inside, el("p", {class: "problem", role: "alert"}, problemWords(problem, text)));
    }
  }

  details.addEventListener("toggle", open);
  return el("li", {class: "op-row"}, details);
}

/** Sending a record again: first what would be sent, then, where anything would, the button that sends it. */
function makeReplay({api, text, place, onSent}) {
  const told = el("div", {class: "op-plan", role: "status"});
  const plan = el("button", {type: "button", onclick: tryOut}, text("operate.dryRun"));
  const send = el("button", {type: "button", class: "primary", hidden: true, onclick: sendAgain}, text("operate.sendAgain"));

  async function tryOut() {
    await guarded(plan, async () => {
      const found = await api.json("POST", `${place}/replay?dry_run=true`);
      send.hidden = !found.would_send;
      replaceChildren(told, found.would_send ? willSend(found, text) : el("p", {class: "problem"}, text("operate.wouldNot"), " ", el("bdi", {}, plain(found.why_not))));
    });
  }

  async function sendAgain() {
    await guarded(send, async () => {
      const sent = await api.json("POST", `${place}/replay`);
      send.hidden = true;
      plan.focus();
      replaceChildren(told, el("p", {class: "op-done"}, text("operate.sent", {topic: plain(sent.topic)})));
      onSent();
    });
  }

  async function guarded(button, act) {
    button.disabled = true;
    try {
      await act();
    } catch (problem) {
      replaceChildren(told, el("p", {class: "problem"}, problemWords(problem, text)));
    } finally {
      button.disabled = false;
    }
    if (document.activeElement === document.body) (button.hidden ? plan : button).focus();
  }

  return el("div", {class: "op-replay"}, el("div", {class: "op-actions"}, plan, send), told);
}

function willSend(plan, text) {
  const key = plan.key === null ? text("operate.noKey") : plan.key.text === null ? bytes(plan.key.size_bytes, text) : plain(plan.key.text);
  const fields = [
    [text("operate.field.topic"), el("code", {}, plain(plan.topic))],
    [text("operate.field.key"), el("code", {}, key)],
    [text("operate.field.value"), bytes(plan.value_bytes, text)],
    [text("operate.field.headers"), plan.headers.map(plain).join(", ") || text("operate.none")],
  ];
  return [
    el("p", {}, el("strong", {}, text("operate.wouldSend")), " ", text("operate.nothingSent")),
    el("dl", {class: "op-fields"}, fields.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
  ];
}
