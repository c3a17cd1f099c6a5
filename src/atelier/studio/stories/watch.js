/** Watching one story to its end: read it, then hear of its text and its pictures, again after each cut. */

import { serverNow } from "../shared/api.js";
import { Follower } from "../shared/following.js";
import { ended } from "../shared/job.js";

/** The stream does not tell who paints and how long it takes: that is read this often. */
const LOOK_EVERY = 3000;

/** Follows one story at a time. `show(story, link)` hears every change; `door` and `model` are those of stories. */
export class StoryWatcher {
  job = null;
  #door;
  #model;
  #show;
  #fetching = null;
  #follower = new Follower(this, LOOK_EVERY);

  constructor(door, model, show) {
    this.#door = door;
    this.#model = model;
    this.#show = show;
  }

  /** Let go of the story watched so far and follow this one; the answer to its order has nothing to tell beyond that. */
  start(story, response = null) {
    response?.body.cancel().catch(() => {});
    this.job = story;
    this.tell({ state: "live" });
    if (ended(story)) this.#follower.stop();
    else this.#follower.begin();
  }

  /** Follow nothing any more. */
  stop() {
    this.#follower.stop();
    this.job = null;
  }

  rest() {
    this.#follower.rest();
  }

  wake() {
    this.#follower.wake();
  }

  /** Take in a story that was read elsewhere, as after a cancel. */
  learn(view) {
    if (this.job?.id === view.job_id) this.#become(this.#model.withView(this.job, view, serverNow()));
  }

  tell(link) {
    this.#show(this.job, link);
  }

  over() {
    return ended(this.job);
  }

  /** Read the story and how its pictures are; the text is not read again where it is known. */
  async read(signal) {
    const view = await this.#door.read(this.job.id, signal);
    if (signal.aborted) return;
    this.learn(view);
    if (!this.over()) await this.look(signal);
  }

  stream(signal) {
    return this.#door.stream(this.job.id, signal);
  }

  hear({ data }) {
    const event = JSON.parse(data);
    this.#become(this.#model.withEvent(this.job, event));
    if (this.#model.lacks(this.job)) this.#fetchText();
    return event.type === "complete";
  }

  /** Read the text as soon as it is there; the stream only says that it is. Where that fails, the next news leads here again. */
  async #fetchText() {
    if (this.#fetching !== null) return;
    const { id } = this.job;
    this.#fetching = this.#door.read(id).catch(() => null);
    const view = await this.#fetching;
    this.#fetching = null;
    if (view === null || this.job?.id !== id) return;
    this.#become(this.#model.withText(this.job, view, serverNow()));
    this.#follower.look();
  }

  /** Read who paints and how long it takes. */
  async look(signal) {
    const before = this.job;
    const view = await this.#door.standing(before.id, signal);
    if (!signal.aborted) this.#become(this.#model.withStanding(this.job, view, serverNow(), this.job === before));
  }

  #become(story) {
    if (story === this.job) return;
    this.job = story;
    this.tell({ state: "live" });
  }
}
