/** Watching one job to its end over whatever the network does: stream, resume, and read when streams fail. */

import { Problem, readJob, serverNow, stream } from "./api.js";
import { ended, withEvent, withView } from "./job.js";
import { EventParser, readEvents } from "./sse.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
/** The server pings every 15 s; a connection silent for this long is dead, whatever the system believes. */
const SILENCE = 40_000;
/** Streams do not tell estimates and that a job waits for a slot; reading does, once a stream has been quiet. */
const LOOK_EVERY = 2000;
const QUIET = 1500;
/** A browser has six connections for a server: a tab nobody sees gives its stream back and reads now and then. */
const UNSEEN = 5000;

/** Follows one job at a time, hence holds at most one stream. `show(job, link)` hears every change. */
export class Watcher {
  job = null;
  #show;
  #heardAt = 0;
  #stop = new AbortController();

  constructor(show) {
    this.#show = show;
  }

  /** Let go of the job watched so far and follow this one; `response` is a stream that is open already. */
  start(job, response = null) {
    this.stop();
    this.job = job;
    this.#stop = new AbortController();
    this.#tell({ state: "live" });
    if (!ended(job)) this.#follow(response, this.#stop.signal);
    else response?.body.cancel().catch(() => {});
  }

  stop() {
    this.#stop.abort();
    this.job = null;
  }

  /** Take in a job that was read elsewhere, as after a cancel. */
  learn(view) {
    if (this.job?.id === view.job_id) this.#become(withView(this.job, view, serverNow()));
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
    } catch (error) {
      if (!signal.aborted) this.#tell({ state: "gone", sentence: error.message });
    } finally {
      clearInterval(looking);
    }
  }

  /** Read one stream to its end or its cut; return the pause the server asked for. Throws only for a job that is gone. */
  async #listen(response, signal) {
    const parser = new EventParser();
    if (document.hidden && response === null) return LONGEST_PAUSE;
    const connection = new AbortController();
    const drop = () => connection.abort();
    signal.addEventListener("abort", drop);
    let unseen = null;
    const seen = () => {
      clearTimeout(unseen);
      if (document.hidden) unseen = setTimeout(drop, UNSEEN);
    };
    document.addEventListener("visibilitychange", seen);
    seen();
    let silence = setTimeout(drop, SILENCE);
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(drop, SILENCE);
    };
    try {
      const open = response ?? (await stream(this.job.id, this.job.seq, connection.signal));
      if (open.status === 204) return null;
      this.#tell({ state: "live" });
      for await (const event of readEvents(open.body, parser, connection.signal, alive)) {
        if (signal.aborted) return null;
        this.#heardAt = Date.now();
        this.#become(withEvent(this.job, Number(event.id), JSON.parse(event.data)));
        if (ended(this.job)) return null;
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 404) throw error;
    } finally {
      clearTimeout(silence);
      clearTimeout(unseen);
      signal.removeEventListener("abort", drop);
      document.removeEventListener("visibilitychange", seen);
    }
    return parser.retry;
  }

  /** Read the job; whether that worked. Throws only for a job that is gone. */
  async #readOnce(signal) {
    const before = this.job;
    try {
      const view = await readJob(before.id, signal);
      // An event that came meanwhile is newer than what was read.
      const current = this.job === before || ended({ status: view.status });
      if (!signal.aborted && current) this.#become(withView(this.job, view, serverNow()));
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) throw error;
      return false;
    }
  }

  async #look(signal) {
    const quiet = Date.now() - this.#heardAt > QUIET;
    if (quiet && document.visibilityState === "visible") await this.#readOnce(signal).catch(() => {});
  }
}

/** Wait; the network's return or the tab's ends the wait. */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener("abort", finish, { signal: done.signal });
    window.addEventListener("online", finish, { signal: done.signal });
    document.addEventListener("visibilitychange", finish, { signal: done.signal });
  });
}
