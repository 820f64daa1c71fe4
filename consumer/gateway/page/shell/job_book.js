/** The tenant's jobs as they are now: listed once, then kept by one stream of events. */

const PAGE = 20;
const LOOK_S = 5; // the time to go is no event: it is asked for, of all open jobs at once
const SOON_S = 0.3;
const MOST_IDS = 100;

/** Tells `change` with the job's id as `detail` (null: the list itself). */
export class JobBook extends EventTarget {
  #jobs = new Map();
  #cursor = null;
  #look = null;
  #signal = null;
  /** "loading", "ready", or the ApiProblem that keeps the list away. */
  state = "loading";
  /** Whether the stream of events is open. */
  isLive = false;
  /** Why it is not, where that is known. */
  streamProblem = null;

  constructor(api) {
    super();
    this.api = api;
  }

  /** All that are known, the latest first. */
  get all() {
    return [...this.#jobs.values()].sort((a, b) => b.times.accepted_at.localeCompare(a.times.accepted_at));
  }

  get hasMore() {
    return this.#cursor !== null;
  }

  get(id) {
    return this.#jobs.get(id) ?? null;
  }

  /** Takes part in a job's life from here on, as an answer of the API shows it. */
  put(job) {
    const known = this.#jobs.get(job.id);
    if (known && known.times.changed_at > job.times.changed_at) return;
    if (known?.done && !job.done && known.times.changed_at === job.times.changed_at) return;
    this.#jobs.set(job.id, job);
    this.#tell(job.id);
    if (!job.done) this.#lookSoon(LOOK_S);
  }

  /** Lists the jobs and follows them until the signal aborts. */
  async follow(signal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => clearTimeout(this.#look?.timer));
    const onState = (isOpen, problem) => {
      this.isLive = isOpen;
      this.streamProblem = problem ?? null;
      this.#tell(null);
      if (isOpen || this.state !== "ready") this.load();
    };
    try {
      await this.api.events({onEvent: (event) => this.#note(event), onState, signal});
    } catch (problem) {
      this.state = problem;
      this.#tell(null);
    }
  }

  /** Reads the first page of the list anew. */
  load() {
    return this.#read("");
  }

  /** Reads the page behind those that are known. */
  loadMore() {
    return this.#read(`&cursor=${encodeURIComponent(this.#cursor)}`);
  }

  /** Asks for one job. Throws ApiProblem, such as 404 for one that is nobody's or another's. */
  async lookUp(id) {
    this.put(await this.api.json("GET", `/v1/separations/${encodeURIComponent(id)}`, {signal: this.#signal ?? undefined}));
    return this.get(id);
  }

  async #read(more) {
    try {
      const page = await this.api.json("GET", `/v1/separations?limit=${PAGE}${more}`, {signal: this.#signal ?? undefined});
      // A page that joins what is known leaves the place from which older ones are read; one that does not, begins anew.
      const isNew = more || this.state !== "ready" || !page.items.some((job) => this.#jobs.has(job.id));
      if (isNew) this.#cursor = page.next_cursor;
      this.state = "ready";
      page.items.forEach((job) => this.put(job));
    } catch (problem) {
      if (this.#signal?.aborted) return;
      if (this.state !== "ready") this.state = problem;
    }
    this.#tell(null);
  }

  #note({name, data}) {
    if (name === "reset") return void this.load();
    const known = this.#jobs.get(data.id);
    if (name !== "progress") {
      this.#jobs.set(data.id, {eta: known?.eta, queue: known?.queue, ...data});
      this.#tell(data.id);
      if (!data.done || this.#open.length > 0) this.#lookSoon(SOON_S);
      return;
    }
    if (!known) return this.#lookSoon(SOON_S, data.id);
    if (known.done && data.attempt <= known.attempt) return; // told late, after a break
    this.#jobs.set(data.id, {...known, ...data});
    this.#tell(data.id);
    if (known.state !== data.state) this.#lookSoon(SOON_S);
  }

  get #open() {
    return [...this.#jobs.values()].filter((job) => !job.done).map((job) => job.id);
  }

  #wanted = new Set();

  #lookSoon(seconds, id) {
    if (id) this.#wanted.add(id);
    const atMs = performance.now() + seconds * 1000;
    if (this.#signal?.aborted || !this.#signal || (this.#look && this.#look.atMs <= atMs)) return;
    clearTimeout(this.#look?.timer);
    this.#look = {atMs, timer: setTimeout(() => this.#lookAgain(), seconds * 1000)};
  }

  async #lookAgain() {
    const ids = [...new Set([...this.#wanted, ...this.#open])].slice(0, MOST_IDS);
    this.#wanted.clear();
    this.#look = null;
    if (ids.length === 0) return;
    const query = ids.map((id) => `id=${encodeURIComponent(id)}`).join("&");
    try {
      const {items} = await this.api.json("GET", `/v1/separations?${query}`, {signal: this.#signal});
      items.forEach((job) => this.put(job));
    } catch {
      // the stream says by itself that nothing answers
    }
    if (this.#open.length > 0) this.#lookSoon(LOOK_S);
  }

  #tell(id) {
    this.dispatchEvent(new CustomEvent("change", {detail: id}));
  }
}
