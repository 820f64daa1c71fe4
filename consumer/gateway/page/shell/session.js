/** What belongs to one sign-in: it lives in memory, and ends with the page. */

import {Api} from "../api.js";
import {JobBook} from "./job_book.js";
import {Outbox} from "./outbox.js";

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Whoever holds this key or token, once the API knows them. Throws ApiProblem: 401 where it does not.
 * @param {{key?: string, token?: string}} credentials
 * @param {() => void} onRefused called where they are not known any more
 */
export async function signIn(credentials, onRefused) {
  const api = new Api({...credentials, onRefused});
  const {scopes} = await api.json("GET", "/v1/access");
  return new Session(api, new Set(scopes));
}

/** As what a text that was typed is meant: a token by its three parts, a key otherwise. */
export function credentialsOf(typed) {
  return JWT.test(typed) ? {token: typed} : {key: typed};
}

/** scopes: what may be done, by its names in the API. */
export class Session {
  #ending = new AbortController();

  constructor(api, scopes) {
    Object.assign(this, {api, scopes});
    this.jobs = new JobBook(api);
    this.outbox = new Outbox(api, (job) => this.jobs.put(job));
  }

  get mayRead() {
    return this.scopes.has("separations:read");
  }

  get mayWrite() {
    return this.scopes.has("separations:write");
  }

  /** Whether leaving the page now would cut a file that is on its way. */
  get isSending() {
    return this.outbox.isBusy;
  }

  start() {
    if (this.mayRead) this.jobs.follow(this.#ending.signal);
  }

  /** Stops whatever is under way here; jobs that were accepted go on. */
  end() {
    this.outbox.cancelAll();
    this.#ending.abort();
  }
}
