/** Watching one job to its end over whatever the network does: stream, resume, and read when streams fail. */

import { Problem, serverNow } from "./api.js";
import { ended } from "./job.js";
import { listen, sleep } from "./listen.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
/** Streams do not tell estimates and that a job waits for a slot; reading does, once a stream has been quiet. */
const LOOK_EVERY = 2000;
const QUIET = 1500;
/** What the stream leaves out is read this much later, for more may come at once. */
const SOON = 150;

/**
 * Follows one job at a time, hence holds at most one stream. `show(job, link)` hears every change.
 *
 * `model` says what a job becomes: `withEvent(job, number, event)` and `withView(job, view, now)`. Kinds whose records
 * hold more than the stream tells add `lacks(job)`, whether it has to be read; `known(job)`, up to which number there is
 * no need to; and `withOldView(job, view)`, what a view gives that the stream has overtaken.
 */
export class Watcher {
  job = null;
  #door;
  #model;
  #show;
  #awake = false;
  #heardAt = 0;
  #fetching = null;
  #stop = new AbortController();

  constructor(door, model, show) {
    this.#door = door;
    this.#model = model;
    this.#show = show;
  }

  /** Let go of the job watched so far and follow this one; `response` is a stream that is open already. */
  start(job, response = null) {
    this.#stop.abort();
    this.job = job;
    this.#stop = new AbortController();
    this.#tell({ state: "live" });
    if (this.#awake && !ended(job)) this.#follow(response, this.#stop.signal);
    else response?.body.cancel().catch(() => {});
  }

  /** Follow nothing any more. */
  stop() {
    this.#stop.abort();
    this.job = null;
  }

  /** Give the stream back until `wake`: nobody looks. */
  rest() {
    this.#awake = false;
    this.#stop.abort();
  }

  /** Follow the job again from where it was left. */
  wake() {
    if (this.#awake) return;
    this.#awake = true;
    if (this.job !== null) this.start(this.job);
  }

  /** Take in a job that was read elsewhere, as after a cancel. */
  learn(view) {
    if (this.job?.id === view.job_id) this.#become(this.#model.withView(this.job, view, serverNow()));
  }

  #become(job) {
    if (job === this.job) return;
    this.job = job;
    this.#tell({ state: "live" });
  }

  #tell(link) {
    this.#show(this.job, link);
  }

  async #follow(response, signal) {
    let failures = 0;
    const looking = setInterval(() => this.#look(signal), LOOK_EVERY);
    signal.addEventListener("abort", () => clearInterval(looking));
    try {
      for (;;) {
        const before = this.job;
        const told = await this.#listen(response, signal);
        response = null;
        if (signal.aborted || ended(this.job)) break;
        failures = this.job === before ? failures + 1 : 0;
        const pause = told ?? Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
        const read = await this.#readOnce(signal);
        if (signal.aborted || ended(this.job)) break;
        if (!read) this.#tell({ state: "cut", until: Date.now() + pause });
        await sleep(pause, signal);
        if (signal.aborted) break;
      }
      // The last event of a stream may be shortened to fit; the job itself has every fact.
      if (!signal.aborted) await this.#readOnce(signal);
    } catch {
      if (!signal.aborted) this.#tell({ state: "gone" });
    } finally {
      clearInterval(looking);
    }
  }

  /** Read one stream to its end or its cut; return the pause the server asked for. Throws only for a job that is gone. */
  async #listen(response, signal) {
    if (document.hidden && response === null) return LONGEST_PAUSE;
    const connect = async (connection) => {
      const open = response ?? (await this.#door.stream(this.job.id, this.job.seq, connection));
      if (open.status !== 204) this.#tell({ state: "live" });
      return open;
    };
    return listen(connect, signal, (event) => {
      this.#heardAt = Date.now();
      this.#become(this.#model.withEvent(this.job, Number(event.id), JSON.parse(event.data)));
      if (this.#model.lacks?.(this.job)) this.#fetchSoon(signal);
      return ended(this.job);
    });
  }

  /** Read the job; whether that worked. Throws only for a job that is gone. */
  async #readOnce(signal) {
    const before = this.job;
    try {
      const view = await this.#door.read(before.id, signal, this.#model.known?.(before) ?? null);
      // An event that came meanwhile is newer than what was read.
      const current = this.job === before || ended({ status: view.status });
      const take = current ? this.#model.withView : (this.#model.withOldView ?? ((job) => job));
      if (!signal.aborted) this.#become(take(this.job, view, serverNow()));
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) throw error;
      return false;
    }
  }

  /** Read what the stream left out, once for all that comes at the same time. */
  #fetchSoon(signal) {
    this.#fetching ??= setTimeout(() => {
      this.#fetching = null;
      if (!signal.aborted) this.#readOnce(signal).catch(() => {});
    }, SOON);
  }

  async #look(signal) {
    const quiet = Date.now() - this.#heardAt > QUIET;
    if (quiet && document.visibilityState === "visible") await this.#readOnce(signal).catch(() => {});
  }
}
