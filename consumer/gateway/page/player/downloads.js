import {el} from "../dom.js";

const KEPT_MS = 60_000; // until the browser has begun to save what it was given

/** Has the browser save what lies at an address that needs no key. */
export function saveFrom(address, fileName) {
  const link = el("a", {href: address, download: fileName, rel: "noopener"});
  document.body.append(link);
  link.click();
  link.remove();
}

/** Has the browser save a Blob. */
export function saveBlob(blob, fileName) {
  const address = URL.createObjectURL(blob);
  saveFrom(address, fileName);
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}

/**
 * Fetches a file of the gateway's with the key, and has the browser save it. What comes is handed to the browser as it
 * is, which keeps it on disk where it is large. Throws ApiProblem.
 */
export async function saveWithKey(api, path, fileName, signal) {
  const response = await api.response("GET", path, {signal});
  saveBlob(await response.blob(), fileName);
}
