/** Watching one storyboard to its end: read the grid, then hear the stream, again after each cut. */

import { Follower } from "../shared/following.js";
import { Board } from "./board.js";
import * as door from "./door.js";

/** The stream tells of beats only; how the keys are and what goes wrong is read this often. */
const LOOK_EVERY = 3000;

/** Follows one storyboard at a time. `show(board, link, beats)` hears every change; `beats` null: all of them. */
export class BoardWatch {
  board = null;
  #show;
  #follower = new Follower(this, LOOK_EVERY);

  constructor(show) {
    this.#show = show;
  }

  open(id) {
    this.board = new Board(id);
    this.#follower.begin();
  }

  /** Follow nothing any more. */
  stop() {
    this.#follower.stop();
    this.board = null;
  }

  rest() {
    this.#follower.rest();
  }

  wake() {
    this.#follower.wake();
  }

  /** Take a grid that an action answered with, and go on from there. */
  take(view) {
    if (view.storyboard_id !== this.board?.id) return;
    this.#taken(view);
    this.#follower.begin();
  }

  #taken(view) {
    this.board.take(view);
    this.#show(this.board, { state: "live" }, null);
  }

  tell(link) {
    this.#show(this.board, link, []);
  }

  over() {
    return this.board.ended;
  }

  async read(signal) {
    const view = await door.grid(this.board.id, signal);
    if (!signal.aborted) this.#taken(view);
  }

  stream(signal) {
    return door.stream(this.board.id, signal);
  }

  hear({ data }) {
    const event = JSON.parse(data);
    const beat = this.board.apply(event, Date.now());
    if (beat !== null) this.#show(this.board, { state: "live" }, [beat]);
    return event.type === "complete" || event.type === "error";
  }

  /** Read how it stands; the grid, where that says otherwise than the beats that are known. */
  async look(signal) {
    if (this.board.path === null) return;
    const view = await door.standing(this.board.path, signal);
    if (signal.aborted) return;
    this.board.note(view);
    if (this.board.agrees(view)) this.#show(this.board, { state: "live" }, []);
    else await this.read(signal);
  }
}
