/** The page's words, in the languages that it has. */

import codes from "./texts/codes.js";
import operate from "./texts/operate.js";
import player from "./texts/player.js";
import shell from "./texts/shell.js";

const TABLES = [shell, codes, player, operate];

/** The languages that the page has, by their tags. */
export const LANGUAGES = Object.keys(shell);

/** The first language of a reader's that the page has, English where it has none. @param {readonly string[]} wanted */
export function chooseLanguage(wanted) {
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

/**
 * What gives texts in a language: `text(key, values)`, with `{name}` in a text replaced by `values.name`. Of a key
 * that is none it gives the key. `text.language` is the language, `text.has(key)` says whether there is such a text.
 * @param {string} language
 */
export function makeText(language) {
  const words = Object.assign({}, ...TABLES.map((table) => table[language]));
  const text = (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  text.language = language;
  text.has = (key) => Object.hasOwn(words, key);
  return text;
}
