/** Watching one storyboard: its grid once, its stream for what changes, and its standing now and then. */

import { Problem } from "../shared/api.js";
import { listen, sleep } from "../shared/listen.js";
import { Board } from "./board.js";
import * as door from "./door.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
/** The stream tells of beats only; how the keys are and what goes wrong is read this often. */
const LOOK_EVERY = 3000;

/** Follows one storyboard at a time. `show(board, link, beats)` hears every change; `beats` null: all of them. */
export class BoardWatch {
  board = null;
  #show;
  #awake = false;
  #stop = new AbortController();

  constructor(show) {
    this.#show = show;
  }

  open(id) {
    this.#stop.abort();
    this.board = new Board(id);
    this.#begin();
  }

  rest() {
    this.#awake = false;
    this.#stop.abort();
  }

  wake() {
    if (this.#awake) return;
    this.#awake = true;
    if (this.board !== null) this.#begin();
  }

  /** Take a grid that an action answered with, and go on from there. */
  take(view) {
    if (view.storyboard_id !== this.board?.id) return;
    this.#taken(view);
    this.#begin();
  }

  #begin() {
    this.#stop.abort();
    this.#stop = new AbortController();
    if (this.#awake) this.#follow(this.#stop.signal);
  }

  #taken(view) {
    this.board.take(view);
    this.#show(this.board, { state: "live" }, null);
  }

  async #follow(signal) {
    let failures = 0;
    const looking = setInterval(() => this.#look(signal), LOOK_EVERY);
    signal.addEventListener("abort", () => clearInterval(looking));
    try {
      while (!signal.aborted) {
        const read = await this.#read(signal);
        if (signal.aborted || (read && this.board.ended)) break;
        const told = read && !document.hidden ? await this.#listen(signal) : null;
        if (signal.aborted) break;
        failures = read ? 0 : failures + 1;
        const pause = told ?? Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
        if (!read) this.#show(this.board, { state: "cut", until: Date.now() + pause }, []);
        await sleep(document.hidden ? LONGEST_PAUSE : pause, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#show(this.board, { state: "gone", sentence: error.message }, []);
    } finally {
      clearInterval(looking);
    }
  }

  /** Read the grid; whether that worked. Throws only for a storyboard that is gone. */
  async #read(signal) {
    try {
      const view = await door.grid(this.board.id, signal);
      if (!signal.aborted) this.#taken(view);
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) throw error;
      return false;
    }
  }

  #listen(signal) {
    return listen((connection) => door.stream(this.board.id, connection), signal, ({ data }) => {
      const event = JSON.parse(data);
      const beat = this.board.apply(event, Date.now());
      if (beat !== null) this.#show(this.board, { state: "live" }, [beat]);
      return event.type === "complete" || event.type === "error";
    });
  }

  /** Read how it stands; the grid, where that says otherwise than the beats that are known. */
  async #look(signal) {
    if (this.board.path === null || document.visibilityState !== "visible") return;
    try {
      const view = await door.standing(this.board.path, signal);
      if (signal.aborted) return;
      this.board.note(view);
      if (this.board.agrees(view)) this.#show(this.board, { state: "live" }, []);
      else await this.#read(signal);
    } catch {
      // The stream notices what is wrong with the connection.
    }
  }
}
