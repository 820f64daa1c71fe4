/** The operators' view. */

/** Puts the view into an element. @returns {{destroy: () => void}} */
export function mountOperate(element, {api, text}) {
  return {destroy() { element.replaceChildren(); }};
}
