/** The storyboard on the wall: how far each style is, what is in the way, what can be done, and the grid. */

import { serverNow } from "../shared/api.js";
import { element } from "../shared/elements.js";
import { dollars, duration } from "../shared/words.js";
import { Tiles } from "./tiles.js";

const part = (name) => document.getElementById(`board-${name}`);
const TICK = 500;
const REST = { resting: "rests", bad: "is not accepted", no_credit: "has no credit" };

export class BoardView {
  easel = document.getElementById("wall");
  #tiles;
  #board = null;
  #link = { state: "live" };
  #bars = new Map();
  #waiting = null;
  #announced = "";

  /** `actions`: `steer(action)` with pause, resume, retry-failed or cancel, and `choose(style, beat)`. */
  constructor({ steer, choose }) {
    this.#tiles = new Tiles(part("grid"), choose);
    for (const action of ["pause", "resume", "retry-failed", "cancel"]) part(action).addEventListener("click", () => steer(action));
    setInterval(() => this.#tick(), TICK);
  }

  /** Show what changed: `beats`, or all where that is null. Many changes at a time are shown together. */
  show(board, link, beats) {
    if (this.#board !== board) this.#open();
    this.#board = board;
    this.#link = link;
    const first = this.#waiting === null;
    this.#waiting = beats === null || this.#waiting?.all ? { all: true } : { beats: new Set([...(this.#waiting?.beats ?? []), ...beats]) };
    if (first) requestAnimationFrame(() => this.#draw());
  }

  /** Nothing is shown any more. */
  clear() {
    this.#board = null;
    part("nothing").hidden = false;
    part("job").hidden = true;
  }

  showProblem(text) {
    part("problem").textContent = text;
  }

  /** Whether its title stands so high that the grid below it is seen, too. */
  inSight() {
    const { top } = this.easel.getBoundingClientRect();
    return top >= 0 && top < window.innerHeight / 3;
  }

  #open() {
    part("nothing").hidden = true;
    part("job").hidden = false;
    this.#bars.clear();
    part("bars").replaceChildren();
    this.showProblem("");
  }

  #draw() {
    const { all, beats } = this.#waiting;
    this.#waiting = null;
    if (this.#board === null) return;
    this.#tiles.show(this.#board, all ? null : [...beats]);
    part("title").textContent = this.#board.path ?? "A storyboard";
    this.#showBars();
    if (this.#board.status !== undefined) this.#showStanding();
    this.#tick();
    this.#announce();
  }

  #showBars() {
    for (const { name } of this.#board.styles) {
      const bar = this.#bars.get(name) ?? this.#addBar(name);
      const { completed, total, failed } = this.#board.counts(name);
      bar.progress.max = total;
      bar.progress.value = completed;
      bar.count.textContent = `${completed} of ${total}`;
      bar.failed.textContent = failed > 0 ? `${failed} failed` : "";
    }
  }

  #addBar(name) {
    const bar = {
      progress: element("progress", { "aria-label": `Progress of ${name}` }), count: element("span", { name: "count" }),
      failed: element("span", { name: "failed" }), left: element("span", { name: "left" }),
    };
    const said = element("span", { name: "said" }, bar.count, bar.failed, bar.left);
    part("bars").append(element("li", {}, element("b", { text: name }), bar.progress, said));
    this.#bars.set(name, bar);
    return bar;
  }

  #showStanding() {
    const { status, paused, troubles, files, pools, cost } = this.#board;
    const { failed } = this.#board.counts();
    const running = status === "processing";
    const focused = document.activeElement;
    const there = { pause: running && !paused, resume: running && paused, cancel: running, "retry-failed": failed > 0 && !running };
    for (const [action, shown] of Object.entries(there)) part(action).hidden = !shown;
    if (focused?.hidden && focused.parentElement === part("actions")) part("title").focus({ preventScroll: true });
    part("retry-failed").textContent = `Retry ${failed} failed`;
    const told = troubles.map(({ message, beats, advice }) => `${beats}×: ${message} ${advice}`);
    if (files.error) told.push(`The project's folder is not complete: ${files.error} ${files.advice}`);
    part("troubles").hidden = told.length === 0;
    part("troubles").replaceChildren(...told.map((text) => element("li", { text })));
    part("cost").textContent = cost > 0 ? `${dollars(cost)} so far` : "";
    showPools(pools);
  }

  /** Everything that changes with the clock alone. */
  #tick() {
    if (this.#board === null || this.#board.status === undefined) return this.#showLink();
    const now = Date.now();
    for (const [name, bar] of this.#bars) {
      const seconds = this.#board.ended ? null : this.#board.left(name, now);
      bar.left.textContent = seconds === null ? "" : `about ${duration(seconds)} left`;
    }
    part("state").textContent = this.#state();
    this.#showLink();
  }

  #state() {
    const { status, paused, resumeAt } = this.#board;
    const { completed, generating, failed, total } = this.#board.counts();
    if (status !== "processing") {
      const ends = { completed: "Finished", failed: "Failed", cancelled: "Cancelled" };
      return `${ends[status]}: ${completed} of ${total} drawn${failed > 0 ? `, ${failed} failed` : ""}.`;
    }
    if (paused) return `Paused. ${generating > 0 ? `${generating} are being drawn to their end.` : ""}`.trim();
    const seconds = resumeAt === null ? 0 : (Date.parse(resumeAt) - serverNow()) / 1000;
    if (generating === 0 && seconds > 0) return `Every key rests; it goes on in ${duration(seconds)}.`;
    return generating > 0 ? `${generating} being drawn.` : "Waiting.";
  }

  #showLink() {
    const link = this.#link;
    const seconds = link.state === "cut" ? Math.ceil((link.until - Date.now()) / 1000) : 0;
    const again = seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now.";
    const told = { live: "", cut: `The connection is cut; the drawing goes on. ${again}`, gone: "There is no such storyboard. It may have been removed." };
    const text = told[link.state];
    if (part("link").textContent !== text) part("link").textContent = text;
    part("link").hidden = text === "";
    part("job").classList.toggle("gone", link.state === "gone");
  }

  /** Tell screen readers of tenths and ends, not of every picture. */
  #announce() {
    const { completed, total } = this.#board.counts();
    if (total === 0) return;
    const state = [this.#board.status, this.#board.paused, Math.floor((completed * 10) / total)].join();
    if (state === this.#announced) return;
    this.#announced = state;
    part("announcer").textContent = `${this.#state()} ${completed} of ${total} drawn.`;
  }
}

/** Show how the keys are, by their aliases; nothing where there are none. */
function showPools(pools) {
  const keys = pools.flatMap((pool) => pool.keys.map((key) => ({ ...key, pool: pool.name })));
  part("pools").hidden = keys.length === 0;
  part("keys").replaceChildren(...keys.map(keyRow));
}

function keyRow({ pool, alias, state, until, why, per_minute: minute }) {
  const rest = until ? ` until ${new Date(until).toLocaleTimeString()}` : "";
  const said = state === "ok" ? (minute === null ? "" : `${minute} a minute`) : `${REST[state]}${rest}${why ? `: ${why}` : ""}`;
  return element("li", { "data-state": state }, element("b", { text: alias }), ` ${pool} `, element("span", { name: "hint", text: said }));
}
