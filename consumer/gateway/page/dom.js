/** Elements, built without markup in texts. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. Options: `on...` are listeners, `class` and `aria-...` and the like are attributes (left out where
 * the value is null, undefined or false; empty where it is true), `value`, `checked`, `disabled`, `hidden` and the like
 * of form controls are properties. Children are nodes or texts; null, undefined and false are left out.
 * @param {string} name
 * @param {Object<string, *>} [options]
 * @param {...(Node|string|number|null|undefined|false|Array)} children
 * @returns {HTMLElement}
 */
export function el(name, options = {}, ...children) {
  return filled(document.createElement(name), options ?? {}, children);
}

/** The same for an element of SVG, as icons and plots are. */
export function svg(name, options = {}, ...children) {
  return filled(document.createElementNS(SVG, name), options ?? {}, children);
}

/** Puts these children in place of those that an element has. */
export function replaceChildren(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(isShown));
}

/** An icon of 24 by 24 that says nothing to screen readers. @param {string} path what is drawn, in SVG's words */
export function icon(path) {
  return svg("svg", {class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false"}, svg("path", {d: path}));
}

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "multiple", "required", "selected", "htmlFor"]);

function filled(element, options, children) {
  for (const [name, value] of Object.entries(options)) {
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (PROPERTIES.has(name)) element[name] = value ?? (name === "value" ? "" : false);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter(isShown));
  return element;
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}
