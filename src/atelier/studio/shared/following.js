/** Following something that is read whole and whose stream starts afresh each time, over whatever the network does. */

import { Problem } from "./api.js";
import { listen, sleep } from "./listen.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;

/**
 * Follows one thing at a time, hence holds at most one stream.
 *
 * `source` has `read(signal)`, which takes it in whole; `over()`, whether there is no more to hear; `stream(signal)`, which
 * opens its stream; `hear(event)`, which takes an event and returns whether it was the last; `look(signal)`, which reads what
 * the stream leaves out, every `every` milliseconds while the page is seen; `tell(link)`, which hears how the connection does.
 */
export class Follower {
  #source;
  #every;
  #begun = false;
  #awake = false;
  #stop = new AbortController();

  constructor(source, every) {
    this.#source = source;
    this.#every = every;
  }

  /** Follow from now on, or anew; while nobody looks, from the next `wake`. */
  begin() {
    this.stop();
    this.#begun = true;
    this.#stop = new AbortController();
    if (this.#awake) this.#follow(this.#stop.signal);
  }

  /** There is nothing to follow until the next `begin`. */
  stop() {
    this.#begun = false;
    this.#stop.abort();
  }

  /** Give the stream back until `wake`: nobody looks. */
  rest() {
    this.#awake = false;
    this.#stop.abort();
  }

  wake() {
    if (this.#awake) return;
    this.#awake = true;
    if (this.#begun) this.begin();
  }

  async #follow(signal) {
    const source = this.#source;
    let failures = 0;
    const looking = setInterval(() => this.look(), this.#every);
    signal.addEventListener("abort", () => clearInterval(looking));
    try {
      while (!signal.aborted) {
        const read = await this.#read(signal);
        if (signal.aborted || (read && source.over())) break;
        const told = read && !document.hidden ? await listen((connection) => source.stream(connection), signal, (event) => source.hear(event)) : null;
        if (signal.aborted) break;
        failures = read ? 0 : failures + 1;
        const pause = told ?? Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
        if (!read) source.tell({ state: "cut", until: Date.now() + pause });
        await sleep(document.hidden ? LONGEST_PAUSE : pause, signal);
      }
    } catch {
      if (!signal.aborted) source.tell({ state: "gone" });
    } finally {
      clearInterval(looking);
    }
  }

  /** Read it; whether that worked. Throws only for what is gone. */
  async #read(signal) {
    try {
      await this.#source.read(signal);
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) throw error;
      return false;
    }
  }

  /** Read what the stream leaves out, now. */
  async look() {
    const { signal } = this.#stop;
    if (signal.aborted || document.visibilityState !== "visible") return;
    try {
      await this.#source.look(signal);
    } catch {
      // The stream notices what is wrong with the connection.
    }
  }
}
