/** A key or token that the platform's own page hands over in the address: `#token=...` or `#key=...`. */

/**
 * Takes it out of the address, and of the history, at once; null where there is none. `view=/jobs/...` beside it says
 * where to go.
 * @returns {{key: string}|{token: string}|null}
 */
export function takeHandedOver() {
  const told = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  const [token, key] = [told.get("token"), told.get("key")];
  if (token === null && key === null) return null;
  const view = told.get("view") ?? "/";
  history.replaceState(null, "", `${location.pathname}${location.search}#${view.startsWith("/") ? view : "/"}`);
  return token === null ? {key} : {token};
}
