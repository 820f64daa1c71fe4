/** One part of a file, by XMLHttpRequest: fetch tells nothing of how much is sent. */

import {ApiProblem, makeProblem} from "../api.js";

const SILENCE_S = 60; // without a byte on its way

/** Whether an address leads to another origin, which must not see our key. */
export function urlIsForeign(url) {
  return new URL(url, location.href).origin !== location.origin;
}

/**
 * Settles once the part is there. Throws ApiProblem, with status 0 where the connection was cut.
 * @param {string} url
 * @param {Blob} bytes
 * @param {{headers: Object, onProgress: (sentBytes: number) => void, signal: AbortSignal}} options
 */
export function putPart(url, bytes, {headers, onProgress, signal}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = setTimeout(() => request.abort(), SILENCE_S * 1000);
    const isHeard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), SILENCE_S * 1000);
    };
    const stop = () => request.abort();
    const cut = () => reject(new ApiProblem({status: 0, code: "UNREACHABLE"}));
    request.upload.onprogress = (event) => {
      isHeard();
      onProgress(event.loaded);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else if (urlIsForeign(url) && request.status === 403) reject(new ApiProblem({status: 403, code: "UPLOAD_EXPIRED"}));
      else reject(makeProblem(request.status, parsed(request.responseText), request.getResponseHeader("Retry-After")));
    };
    request.onerror = request.onabort = cut;
    request.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (signal.aborted) return cut();
    signal.addEventListener("abort", stop);
    request.send(bytes);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
