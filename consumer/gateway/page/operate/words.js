/** What operators read: figures, times, and what strangers wrote, made plain. */

import {duration} from "../shell/job_words.js";

const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A stranger's text with whatever is not seen, or turns the reading about, written as its number. */
export function plain(told) {
  return String(told ?? "").replace(HIDDEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A number as the reader's language writes it. @param {number} value @param {number} digits behind the point, at most */
export function number(value, text, digits = 0) {
  return new Intl.NumberFormat(text.language, {maximumFractionDigits: digits}).format(value);
}

/** Bytes, exactly below a kilobyte. @param {number} count */
export function bytes(count, text) {
  const [value, unit] = count < 1000 ? [count, "byte"] : count < 1e6 ? [count / 1e3, "kilobyte"] : [count / 1e6, "megabyte"];
  return new Intl.NumberFormat(text.language, {style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1}).format(value);
}

/** The time of day. @param {string|number} time of ISO 8601, or milliseconds since 1970 */
export function timeOfDay(time, text) {
  return new Intl.DateTimeFormat(text.language, {hour: "2-digit", minute: "2-digit"}).format(new Date(time));
}

/** A moment of the last days, to the second. @param {string} time of ISO 8601 */
export function moment(time, text) {
  return new Intl.DateTimeFormat(text.language, {dateStyle: "short", timeStyle: "medium"}).format(new Date(time));
}

/** A wait, also none. @param {number} seconds */
export function wait(seconds, text) {
  return seconds >= 0.5 ? duration(seconds, text) : text("operate.noWait");
}

/** How long ago a moment was, by the reader's clock. @param {string} time of ISO 8601 */
export function ago(time, text) {
  return duration(Math.max(0, (Date.now() - Date.parse(time)) / 1000), text);
}

/** "1 request waits" or "5 requests wait". @param {number} messages */
export function waiting(messages, text) {
  return messages === 1 ? text("operate.oneWaits") : text("operate.manyWait", {count: number(messages, text)});
}

/** An address on the web that a setting names, or null where it is none. */
export function address(told) {
  try {
    return ["http:", "https:"].includes(new URL(told).protocol) ? told : null;
  } catch {
    return null;
  }
}
