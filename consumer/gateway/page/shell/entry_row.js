/** A card for a file that is on its way to the service. */

import {el, replaceChildren} from "../dom.js";
import {progressBar} from "./job_row.js";
import {size} from "./job_words.js";
import {problemWords} from "./problem_words.js";

/** `update()` draws it as it is now. @param {{text: Function, outbox: import("./outbox.js").Outbox, entry: Object}} options */
export function makeEntryRow({text, outbox, entry}) {
  const state = el("span", {class: "badge"});
  const details = el("div", {class: "details"});
  const retry = el("button", {type: "button", onclick: () => (entry.state === "failed" ? outbox.again(entry) : entry.upload?.retry())});
  const cancel = el("button", {type: "button", onclick: () => outbox.cancel(entry)});
  const element = el(
    "li", {class: "job"},
    el("div", {class: "job-head"}, el("span", {class: "title"}, entry.name), state), details,
    el("div", {class: "actions"}, retry, cancel),
  );
  const share = progressBar(text("upload.progress", {name: entry.name}), 0, text);
  const words = el("p", {class: "meta"});
  replaceChildren(details, entry.file && share, words);

  function update() {
    const {upload} = entry;
    const isFailed = entry.state === "failed";
    const isCut = entry.state === "uploading" && upload?.isCut;
    state.textContent = text(isCut ? "upload.cut" : `upload.${entry.state}`);
    state.className = `badge is-${isFailed ? "failed" : isCut ? "warn" : "running"}`;
    if (entry.file) {
      const [sent, all] = [upload?.sentBytes ?? 0, entry.file.size];
      share.hidden = entry.state === "waiting" || isFailed;
      share.firstChild.value = sent / all;
      share.lastChild.textContent = text("upload.share", {sent: size(sent, text), all: size(all, text)});
    }
    words.className = isFailed ? "problem" : isCut || entry.problem ? "meta warn" : "meta";
    words.textContent = wordsOf(entry, isCut, text);
    retry.hidden = !isFailed && !isCut;
    retry.textContent = text(isFailed ? "again" : "upload.tryNow");
    cancel.textContent = text(isFailed ? "remove" : "cancel");
    cancel.setAttribute("aria-label", text(isFailed ? "upload.removeOf" : "upload.cancelOf", {name: entry.name}));
  }

  update();
  return {element, update};
}

function wordsOf(entry, isCut, text) {
  if (entry.problem) return problemWords(entry.problem, text);
  if (isCut) return text("upload.cutWords");
  return "";
}
