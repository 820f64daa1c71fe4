/** The service's API, with a key that lives in this object alone. */

import {followEvents} from "./event_stream.js";

/** What the API refuses, or that it can't be reached: `status` 0, `code` "UNREACHABLE". */
export class ApiProblem extends Error {
  constructor({status, code, title, detail, retryAfterS = null, errors = []}) {
    super(detail || title || code);
    Object.assign(this, {status, code, title, detail, retryAfterS, errors});
  }
}

/** Asks the API; one for each sign-in. */
export class Api {
  #credentials;

  /**
   * @param {{key?: string, token?: string, onRefused?: () => void}} options a key, or a bearer token in its place;
   *   onRefused is called once an answer says that neither is known (any more)
   */
  constructor({key, token, onRefused = () => {}}) {
    this.#credentials = token ? {Authorization: `Bearer ${token}`} : {"X-API-KEY": key};
    this.onRefused = onRefused;
  }

  /** What proves who asks, as headers: for XMLHttpRequest, and never for another origin. */
  get credentials() {
    return {...this.#credentials};
  }

  /** The parsed JSON of an answer, null where it has no body. Throws ApiProblem. */
  async json(method, path, {body, headers = {}, signal} = {}) {
    const own = body === undefined ? headers : {"Content-Type": "application/json", ...headers};
    const response = await this.#ask(method, path, {body: body === undefined ? undefined : JSON.stringify(body), headers: own, signal});
    return response.status === 204 ? null : response.json();
  }

  /** The answer itself. Throws ApiProblem from 400 on. */
  response(method, path, {headers = {}, signal} = {}) {
    return this.#ask(method, path, {headers, signal});
  }

  /**
   * Follows all that happens to the tenant's jobs, over cuts, until `signal` aborts. Settles then, or throws the
   * ApiProblem that trying again would not mend.
   * @param {{onEvent: (event: {name: string, data: Object}) => void, onState?: (isOpen: boolean, problem: Error|null) => void,
   *   signal: AbortSignal}} options
   */
  events({onEvent, onState, signal}) {
    const open = (headers, within) => this.response("GET", "/v1/events", {headers, signal: within});
    return followEvents(open, {onEvent, onState, signal});
  }

  async #ask(method, path, {body, headers, signal}) {
    let response;
    try {
      response = await fetch(path, {method, body, signal, headers: {...headers, ...this.#credentials}, cache: "no-store", credentials: "omit", redirect: "error"}); // a redirect would take the key along
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiProblem({status: 0, code: "UNREACHABLE", title: "unreachable", detail: ""});
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401) this.onRefused();
    throw problem;
  }
}

/** The problem that an answer tells. @param {Response} response */
async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  return makeProblem(response.status, told, response.headers.get("Retry-After"));
}

/** An ApiProblem of an answer's status, its parsed document and its Retry-After, in seconds, or null. */
export function makeProblem(status, told, retryAfter) {
  return new ApiProblem({
    status,
    code: told.code ?? `HTTP_${status}`,
    title: told.title ?? "",
    detail: told.detail ?? "",
    retryAfterS: Number(retryAfter) || null,
    errors: told.errors ?? [],
  });
}
