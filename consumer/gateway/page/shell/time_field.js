/** Times as people type them. */

/**
 * Seconds of "90", "1:30", "1:02:03" or with a fraction; null of nothing, NaN of what is no time.
 * @param {string} typed
 */
export function parseTime(typed) {
  const words = typed.trim().replace(",", ".");
  if (words === "") return null;
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(words)) return NaN;
  const parts = words.split(":").map(Number);
  if (parts.slice(1).some((part) => part >= 60)) return NaN;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}
