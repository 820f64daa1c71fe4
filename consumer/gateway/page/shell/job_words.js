/** A job, in words. */

/** What a job is called: the file's name, where it was told; else the object's, else its id. */
export function jobName(job) {
  const key = job.request?.source?.key ?? job.result?.source?.key ?? job.error?.request?.source?.key;
  return job.metadata?.file || (key && !key.startsWith("uploads/") && key.split("/").pop()) || job.id.slice(0, 12);
}

/** A number of seconds as people say it, such as "2 minutes". @param {number} seconds */
export function duration(seconds, text) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const rounded = unit === "hour" ? Math.round(value * 10) / 10 : Math.max(1, Math.round(value));
  return new Intl.NumberFormat(text.language, {style: "unit", unit, unitDisplay: "long"}).format(rounded);
}

/** Bytes as people say them, such as "3.4 MB". @param {number} bytes */
export function size(bytes, text) {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : bytes < 1e9 ? [bytes / 1e6, "megabyte"] : [bytes / 1e9, "gigabyte"];
  return new Intl.NumberFormat(text.language, {style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 100 ? 1 : 0}).format(value);
}

/** A time as the reader's language writes it. @param {string} time of ISO 8601 */
export function clock(time, text) {
  return time ? new Intl.DateTimeFormat(text.language, {dateStyle: "medium", timeStyle: "short"}).format(new Date(time)) : "";
}

/** A share as a percentage. @param {number} share 0 to 1 */
export function percent(share, text) {
  return new Intl.NumberFormat(text.language, {style: "percent", maximumFractionDigits: 0}).format(share);
}

/** Where a job that has not ended is in the queue, or what is done with it. */
export function placeWords(job, text) {
  if (job.state === "running" && job.stage) {
    const key = `stage.${job.stage}`;
    return text.has(key) ? text(key) : text("stage.other", {stage: job.stage});
  }
  const ahead = job.queue?.ahead;
  if (ahead === undefined || ahead === null) return text("queue.waiting");
  return ahead === 0 ? text("queue.next") : text(ahead === 1 ? "queue.one" : "queue.ahead", {count: ahead});
}

/** The time to go, and the range that it will be in; or why nobody knows it. */
export function timeWords(job, text) {
  const eta = job.eta;
  if (!eta) return "";
  if (eta.reason) return text.has(`eta.${eta.reason}`) ? text(`eta.${eta.reason}`) : text("eta.not_known_yet");
  const [low, high] = [duration(eta.low, text), duration(eta.high, text)];
  const about = text("eta.about", {time: duration(eta.seconds, text)});
  return low === high ? about : `${about} ${text("eta.range", {low, high})}`;
}
