/** What a tab of single jobs does: order one, choose one, watch it, act on it, and keep the list of recent ones. */

import { Problem, serverNow } from "./api.js";
import { Attempt, scripted } from "./asking.js";
import { ended } from "./job.js";
import { remember } from "./memory.js";
import { Watcher } from "./watch.js";
import { titled } from "./words.js";

/**
 * Wires a tab's parts: the form orders, the watcher follows, the view shows, the list remembers.
 *
 * `kind` has `door`, `model`, `titleOf(request)`, and what a nameless job is called, `nameless`; where it is watched otherwise than
 * by its numbered events, a `watcher` like `Watcher`; and `scripts`, where the sandbox may be told more than one. `place` is the
 * tab's place in the page, as `tabs.js` gives it.
 */
export class Workshop {
  #kind;
  #place;
  #parts;
  #watcher;
  #chosen = null;
  #shownState = "";
  #attempt = new Attempt();

  constructor(kind, place) {
    this.#kind = kind;
    this.#place = place;
    this.#watcher = new (kind.watcher ?? Watcher)(kind.door, kind.model, (job, link) => this.#show(job, link));
  }

  /** Take the tab's `form`, `view` and `recent`, which call back here. */
  setUp(parts) {
    this.#parts = parts;
  }

  /** The tab is looked at: go on, with this job where the address names one, else with one that runs. */
  async enter(id) {
    this.#watcher.wake();
    this.#parts.recent.wake();
    if (id === null) await this.#goHome();
    else await this.go(id);
  }

  /** The address names this job; without one, show what a page that is loaded there shows. */
  async go(id) {
    if (id === null && this.#chosen !== null) await this.#goHome();
    else if (id !== null && id !== this.#chosen) await this.choose(id);
  }

  /** Show the newest job that runs, or nothing. */
  async #goHome() {
    const { recent } = this.#parts;
    if (recent.running() !== this.#chosen) this.#clear();
    const before = this.#chosen;
    await recent.refresh();
    if (this.#chosen !== before || !this.#place.current()) return;
    const running = recent.running();
    if (running === null) this.#clear();
    else if (running !== before) await this.choose(running, true);
    else this.#place.goTo(running, true);
  }

  /** Nobody looks at the tab: give its connections back. */
  leave() {
    this.#watcher.rest();
    this.#parts.recent.rest();
    this.#parts.view.close?.();
  }

  async submit(request) {
    const { form, recent } = this.#parts;
    form.setBusy(true);
    const asked = scripted(request, this.#kind.scripts);
    try {
      const response = await this.#kind.door.order(asked, this.#attempt.keyFor(asked));
      this.#attempt.done();
      const id = response.headers.get("x-job-id");
      remember(id, asked);
      this.#put(this.#kind.model.newJob(id, titled(this.#kind.titleOf(request))), { response });
      this.#bringIntoView();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      form.showProblem(problem);
      recent.refresh();
    } finally {
      form.setBusy(false);
    }
  }

  /** Show this job; `instead`: in place of the address that is left, which did not name one. */
  async choose(id, instead = false) {
    const { door, model, nameless } = this.#kind;
    this.#chosen = id;
    try {
      const found = await door.read(id);
      if (this.#chosen === id) this.#put(model.withView(model.newJob(id, found.title), found, serverNow()), { instead });
    } catch (problem) {
      if (this.#chosen !== id) return;
      // The watcher tells what else is wrong, and goes on trying where that helps.
      if (problem.status === 404) this.#miss(id);
      else this.#put(model.newJob(id, this.#parts.recent.titleOf(id) ?? nameless), { instead });
    }
    this.#bringIntoView();
  }

  async cancel(job) {
    await this.#act(this.#kind.door.cancel, job, (told) => this.#watcher.learn(told));
  }

  /** Try it again, or by `action(id)` a part of it; that answers with the job as it is then. */
  async retry(job, action = this.#kind.door.retry) {
    await this.#act(action, job, (told) => this.#put(this.#kind.model.withView(job, told, serverNow())));
  }

  /** Delete it for good; nothing is shown then. */
  async remove(job) {
    await this.#act(this.#kind.door.remove, job, () => {
      this.#clear();
      this.#parts.view.easel.focus({ preventScroll: true });
      this.#parts.recent.refresh();
    });
  }

  /** Show a job in the tab and in the address. */
  #put(job, { response, instead } = {}) {
    this.#chosen = job.id;
    this.#parts.recent.setCurrent(job.id);
    this.#place.goTo(job.id, instead);
    this.#watcher.start(job, response);
  }

  /** Say that there is none of this number. */
  #miss(id) {
    this.#watcher.stop();
    this.#parts.recent.setCurrent(null);
    this.#place.goTo(id);
    this.#show(this.#kind.model.newJob(id, this.#kind.nameless), { state: "gone" });
  }

  #clear() {
    if (this.#chosen === null) return;
    this.#chosen = null;
    this.#shownState = "";
    this.#watcher.stop();
    this.#parts.view.clear();
    this.#parts.recent.setCurrent(null);
    this.#place.goHome();
  }

  #show(job, link) {
    this.#parts.view.show(job, link);
    this.#parts.recent.follow(job);
    this.#place.setTitle(link.state === "gone" ? "atelier" : titleOf(job));
    const state = `${job.id} ${ended(job)}`;
    if (state !== this.#shownState) this.#parts.recent.refresh();
    this.#shownState = state;
  }

  async #act(action, job, learn) {
    const { view } = this.#parts;
    view.showActionProblem("");
    try {
      learn(await action(job.id));
    } catch (problem) {
      if (problem.job) learn(problem.job);
      else view.showActionProblem(problem.message);
    }
  }

  /** Scroll to the result where it is not in sight: on a phone it is below the form. */
  #bringIntoView() {
    if (!this.#place.current() || this.#parts.view.inSight()) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#parts.view.easel.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }
}

function titleOf(job) {
  if (!ended(job)) return `${Math.floor(job.progress)} % ${job.stage.replaceAll("_", " ")} · atelier`;
  return `${{ completed: "Finished", failed: "Failed", cancelled: "Cancelled" }[job.status]} · atelier`;
}
