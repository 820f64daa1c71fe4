/** What the API refuses, in plain words. */

/**
 * A sentence for people: of a code that has words of its own those, else what the API says, in its English.
 * @param {import("../api.js").ApiProblem} problem
 */
export function problemWords(problem, text) {
  const known = `problem.${problem.code}`;
  if (text.has(known)) return text(known, {seconds: problem.retryAfterS ?? 1});
  const errors = (problem.errors ?? []).map((each) => `${each.pointer}: ${each.detail}`).join("; ");
  return text("problem.other", {detail: errors || problem.detail || problem.title || problem.code || problem.message});
}

/**
 * Why a job failed, by its dead letter's code: what happened and what to do. A code without words of its own is told
 * by its name.
 * @param {string} code
 * @returns {{happened: string, toDo: string}}
 */
export function failureWords(code, text) {
  if (!text.has(`code.${code}`)) return {happened: text("code.unknown", {code}), toDo: text("code.unknown.do")};
  return {happened: text(`code.${code}`), toDo: text(`code.${code}.do`)};
}
