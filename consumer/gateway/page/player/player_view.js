/** The player of a job's stems. */

/** Puts the player into an element. @returns {{destroy: () => void}} */
export function mountPlayer(element, {api, job, text}) {
  return {destroy() { element.replaceChildren(); }};
}
