/** Who comes shows a key, or a token; it is kept in memory alone. */

import {el} from "../dom.js";
import {problemWords} from "./problem_words.js";
import {credentialsOf} from "./session.js";

/**
 * @param {HTMLElement} element
 * @param {{text: Function, note?: string, onSignIn: (credentials: Object) => Promise<void>}} options note: key of a
 *   text that says why one has to sign in
 */
export function mountSignIn(element, {text, note, onSignIn}) {
  const field = el("input", {
    id: "key", type: "password", autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: true,
    "aria-describedby": "key-hint key-problem",
  });
  const problem = el("p", {id: "key-problem", class: "problem", role: "alert"}, note && text(note));
  const button = el("button", {type: "submit", class: "primary"}, text("signIn.submit"));
  const show = el("button", {type: "button", class: "quiet", "aria-pressed": "false", onclick: toggle}, text("signIn.show"));

  function toggle() {
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    show.setAttribute("aria-pressed", String(isShown));
  }

  async function submit(event) {
    event.preventDefault();
    const typed = field.value.trim();
    if (!typed || button.disabled) return;
    button.disabled = true;
    problem.textContent = text("signIn.checking");
    try {
      await onSignIn(credentialsOf(typed));
    } catch (refused) {
      button.disabled = false;
      problem.textContent = refused.status === 401 ? text("signIn.refused") : problemWords(refused, text);
      field.setAttribute("aria-invalid", "true");
      field.focus();
      field.select();
    }
  }

  element.append(el(
    "section", {class: "card sign-in"},
    el("h1", {}, text("signIn.heading")),
    el("p", {class: "lead"}, text("signIn.lead")),
    el(
      "form", {onsubmit: submit, novalidate: true},
      el("label", {htmlFor: "key"}, text("signIn.label")),
      el("div", {class: "field-row"}, field, show),
      el("p", {id: "key-hint", class: "hint"}, text("signIn.hint")),
      problem,
      button,
    ),
  ));
  field.focus();
  return {destroy() { element.replaceChildren(); }};
}
