/** The tab of storyboards. */

import { Problem, serverNow } from "../shared/api.js";
import { Attempt, scripted } from "../shared/asking.js";
import { element } from "../shared/elements.js";
import { Paged } from "../shared/paged.js";
import { ago } from "../shared/words.js";
import { BeatDialog } from "./beat.js";
import * as door from "./door.js";
import { BoardForm } from "./form.js";
import { BoardView } from "./view.js";
import { BoardWatch } from "./watch.js";

const SHOWN = 50;

/** Set the tab up in its place; what it does when it is looked at, and when no longer. */
export const open = (place) => new Storyboards(place);

class Storyboards {
  #place;
  #attempt = new Attempt();
  #watch = new BoardWatch((...news) => this.#show(...news));
  #form = new BoardForm((request) => this.#order(request), (request) => this.#plan(request));
  #view = new BoardView({ steer: (action) => this.#steer(action), choose: (style, beat) => this.#open(style, beat) });
  #beat = new BeatDialog((beat, wishes) => this.#redraw(beat, wishes));
  #ended = "";
  #rows = document.getElementById("boards");
  #paged = new Paged(door.list, SHOWN, document.getElementById("boards-more"), () => this.#showMore());

  constructor(place) {
    this.#place = place;
  }

  /** The tab is looked at: go on, with this storyboard where the address names one. */
  enter(id) {
    this.#watch.wake();
    this.go(id);
    this.#list();
  }

  /** The address names this storyboard, or none. */
  go(id) {
    if (id === null) this.#clear();
    else if (id !== this.#watch.board?.id) this.#choose(id);
  }

  /** Nobody looks at the tab: give its connections back. */
  leave() {
    this.#watch.rest();
    this.#beat.close();
  }

  async #order(request) {
    this.#form.setBusy(true);
    const asked = scripted(request);
    try {
      const id = await door.order(asked, this.#attempt.keyFor(asked));
      this.#attempt.done();
      this.#form.showPlan(null);
      this.#choose(id);
      this.#list();
    } catch (problem) {
      this.#said(problem);
    } finally {
      this.#form.setBusy(false);
    }
  }

  async #plan(request) {
    try {
      this.#form.showPlan(await door.plan(scripted(request)));
    } catch (problem) {
      this.#said(problem);
    }
  }

  #said(problem) {
    if (!(problem instanceof Problem)) throw problem;
    this.#form.showProblem(problem);
  }

  #choose(id) {
    this.#place.goTo(id);
    this.#watch.open(id);
    this.#view.show(this.#watch.board, { state: "live" }, null);
    if (!this.#place.current() || this.#view.inSight()) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#view.easel.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }

  #clear() {
    if (this.#watch.board === null) return;
    this.#ended = "";
    this.#watch.stop();
    this.#view.clear();
    this.#beat.close();
    this.#place.goHome();
    this.#list();
  }

  #show(board, link, beats) {
    this.#view.show(board, link, beats);
    this.#beat.follow((beat) => board.beat(beat.style, beat.beat_number));
    this.#place.setTitle(titleOf(board));
    const ended = `${board.id} ${board.ended}`;
    if (ended !== this.#ended) this.#list();
    this.#ended = ended;
  }

  async #steer(action) {
    this.#view.showProblem("");
    try {
      this.#watch.take(await door.steer(this.#watch.board.id, action));
    } catch (problem) {
      this.#view.showProblem(problem.message);
    }
  }

  #open(style, number) {
    const beat = this.#watch.board.beat(style, number);
    if (beat !== null) this.#beat.open(beat);
  }

  async #redraw({ style, beat_number: number }, wishes) {
    this.#watch.take(await door.redraw(this.#watch.board.id, style, number, wishes));
  }

  async #showMore() {
    const before = this.#rows.childElementCount;
    await this.#list();
    this.#rows.children[before]?.querySelector("button").focus();
  }

  async #list() {
    const note = document.getElementById("boards-note");
    try {
      const boards = await this.#paged.read(({ storyboards }) => storyboards);
      note.textContent = boards.length === 0 ? "Nothing has been drawn yet." : "";
      this.#rows.replaceChildren(...boards.map((board) => this.#row(board)));
    } catch (problem) {
      note.textContent = problem.message;
    }
    note.hidden = note.textContent === "";
  }

  #row({ storyboard_id: id, project_path: path, styles, beats, created_at: created }) {
    const button = element(
      "button", { name: "work", type: "button", ...(id === this.#watch.board?.id && { "aria-current": "true" }) },
      element("span", { name: "name", text: path }),
      element("span", { name: "state", text: `${beats} beats in ${styles.length} ${styles.length === 1 ? "style" : "styles"}` }),
      element("span", { name: "time", text: ago(created, serverNow()) }),
    );
    button.addEventListener("click", () => this.#choose(id));
    return element("li", {}, button);
  }
}

function titleOf(board) {
  const { completed, total } = board.counts();
  if (board.status === undefined || total === 0) return "atelier";
  if (!board.ended) return `${completed} of ${total} drawn · atelier`;
  return `${{ completed: "Finished", failed: "Failed", cancelled: "Cancelled" }[board.status]} · atelier`;
}
