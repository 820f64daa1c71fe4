/** What is said of stems and of what is wrong with them. */

/** A stem's name for people: that of the reader's language, where there is one. */
export function stemTitle(name, text) {
  const key = `player.stem.${name}`;
  return text.has(key) ? text(key) : name;
}

/** Why a stem, or a file, can't be had, and what to do. `problem` is a StemProblem or an ApiProblem. */
export function problemWords(problem, text) {
  const kind = problem.kind ?? {401: "refused", 403: "refused", 404: "gone", 410: "gone"}[problem.status];
  return text(`player.problem.${kind ?? "unreadable"}`);
}
