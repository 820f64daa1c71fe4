/** Where files are dropped or chosen, or an object is named, and what is wanted of them. */

import {el, icon} from "../dom.js";
import {size} from "./job_words.js";
import {labelled, makeOptions} from "./options.js";

const ARROW = "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 16v2.5A1.5 1.5 0 0 0 6.5 20h11a1.5 1.5 0 0 0 1.5-1.5V16";

/**
 * @param {{text: Function, session: import("./session.js").Session, models: Object[], limits: Object}} options
 * @returns {HTMLElement}
 */
export function makeSendForm({text, session, models, limits}) {
  const options = makeOptions({models, limits, text});
  const told = el("p", {class: "problem", role: "alert"});
  const input = el("input", {id: "files", class: "visually-hidden", type: "file", multiple: true, "aria-describedby": "files-hint", onchange: chosen});
  const zone = el(
    "div", {class: "drop"}, input,
    icon(ARROW),
    el("p", {class: "drop-title"}, text("send.drop")),
    el("label", {class: "button primary", htmlFor: "files"}, text("send.choose")),
    el("p", {id: "files-hint", class: "hint"}, text("send.limit", {size: size(limits.max_object_bytes, text)})),
  );

  function chosen() {
    sendAll([...input.files]);
    input.value = "";
  }

  function sendAll(files) {
    told.textContent = "";
    const wrong = [];
    const {body, trouble} = options.read();
    if (trouble) return;
    for (const file of files) {
      if (file.size === 0) wrong.push(text("send.empty", {name: file.name}));
      else if (file.size > limits.max_object_bytes) wrong.push(text("send.tooLarge", {name: file.name, size: size(limits.max_object_bytes, text)}));
      else session.outbox.addFile(file, body);
    }
    told.textContent = wrong.join(" ");
  }

  const destroy = takeDrops(zone, sendAll);
  const element = el(
    "section", {class: "card send", "aria-labelledby": "send-heading"},
    el("h2", {id: "send-heading", class: "visually-hidden"}, text("send.heading")),
    el("div", {class: "send-grid"}, el("div", {class: "send-left"}, zone, told), options.element),
    limits.source_buckets.length > 0 && objectForm({text, session, limits, options}),
  );
  return {element, destroy};
}

/** Takes files that are dropped anywhere on the page. Folders and what is no file are passed over. */
function takeDrops(zone, onFiles) {
  const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    zone.classList.add("is-over");
  };
  const leave = (event) => {
    if (event.relatedTarget === null || event.type === "drop") zone.classList.remove("is-over");
  };
  const drop = (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    leave(event);
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory);
    onFiles(items.map((item) => item.getAsFile()).filter(Boolean));
  };
  const listeners = [["dragenter", over], ["dragover", over], ["dragleave", leave], ["drop", drop]];
  listeners.forEach(([name, listener]) => window.addEventListener(name, listener));
  return () => listeners.forEach(([name, listener]) => window.removeEventListener(name, listener));
}

function objectForm({text, session, limits, options}) {
  const bucket = el("select", {id: "bucket"}, limits.source_buckets.map((name) => el("option", {value: name}, name)));
  const key = el("input", {id: "object-key", type: "text", autocomplete: "off", spellcheck: "false", required: true});
  function submit(event) {
    event.preventDefault();
    const {body} = options.read();
    if (!body || !key.value.trim()) return void key.focus();
    session.outbox.addObject(bucket.value, key.value.trim(), body);
    key.value = "";
  }
  return el(
    "details", {class: "more"},
    el("summary", {}, text("send.object")),
    el(
      "form", {class: "fields object", onsubmit: submit},
      labelled(text("send.bucket"), bucket), labelled(text("send.key"), key),
      el("button", {type: "submit"}, text("send.submit")),
    ),
  );
}
