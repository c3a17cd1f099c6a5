/** The recent jobs of a kind, as the server has them. */

import { serverNow } from "./api.js";
import { element } from "./elements.js";
import { Paged } from "./paged.js";
import { ago, statusWord } from "./words.js";

const SHOWN = 24;
const EVERY = 7000;
const ENDED = ["completed", "failed", "cancelled"];

/**
 * A list that refreshes itself while it is looked at.
 *
 * `list` and `note` are its places, `read(limit, cursor)` reads a page of jobs, `empty` is said where there are none, `choose(id)`
 * hears clicks; `dress(item, view)` adds what a kind shows beside title, state and time; `more` is a button for the next page.
 */
export class Recent {
  #options;
  #views = [];
  #items = new Map();
  #current = null;
  #awake = false;
  #paged;
  #loading = null;
  #again = false;

  constructor(options) {
    this.#options = options;
    this.#paged = new Paged(options.read, SHOWN, options.more, () => this.#showMore());
    setInterval(() => this.#visible() && this.refresh(), EVERY);
    document.addEventListener("visibilitychange", () => this.#visible() && this.refresh());
  }

  /** Keep the list fresh from now on; resolves when it has been read. */
  async wake() {
    this.#awake = true;
    await this.refresh();
  }

  rest() {
    this.#awake = false;
  }

  /** Read the list again. Asked while it is being read, it is read once more: the answer may be older than the wish. */
  async refresh() {
    if (!this.#awake) return;
    this.#again = true;
    this.#loading ??= this.#readAll();
    await this.#loading;
  }

  async #readAll() {
    while (this.#again) {
      this.#again = false;
      await this.#read();
    }
    this.#loading = null;
  }

  /** Return the number of the newest job that has not ended, or null. */
  running() {
    return this.#views.find((view) => !ENDED.includes(view.status))?.job_id ?? null;
  }

  /** Return a job's title, where it is in the list. */
  titleOf(id) {
    return this.#views.find((view) => view.job_id === id)?.title ?? null;
  }

  /** Mark the job that is shown. */
  setCurrent(id) {
    this.#current = id;
    for (const [key, item] of this.#items) mark(item.button, key === id);
  }

  /** Take over what the stream told about a job, without asking the server. */
  follow(job) {
    const item = this.#items.get(job.id);
    if (item) fillStatus(item, job.status, job.progress);
  }

  #visible() {
    return this.#awake && document.visibilityState === "visible";
  }

  async #read() {
    try {
      this.#views = await this.#paged.read(({ jobs }) => jobs);
    } catch (problem) {
      // Without a key it does not.
      const hope = problem.status === 401 ? "" : " The list comes back by itself.";
      if (this.#views.length === 0) this.#say(`${problem.message}${hope}`);
      return;
    }
    this.#render();
  }

  async #showMore() {
    const before = this.#views.length;
    await this.refresh();
    this.#options.list.children[before]?.querySelector("button").focus();
  }

  #say(text) {
    this.#options.note.textContent = text;
    this.#options.note.hidden = text === "";
  }

  #render() {
    const { list } = this.#options;
    this.#say(this.#views.length === 0 ? this.#options.empty : "");
    const present = new Set(this.#views.map((view) => view.job_id));
    for (const [id, item] of this.#items) {
      if (!present.has(id)) {
        item.row.remove();
        this.#items.delete(id);
      }
    }
    this.#views.forEach((view, index) => {
      const item = this.#items.get(view.job_id) ?? this.#add(view);
      this.#fill(item, view);
      // Moving a row that is in its place already would take the keyboard's focus from it.
      const there = list.children[index] ?? null;
      if (there !== item.row) list.insertBefore(item.row, there);
    });
  }

  #add(view) {
    const item = {
      row: element("li"), button: element("button", { name: "work", type: "button" }), title: element("span", { name: "name" }),
      state: element("span", { name: "state" }), time: element("span", { name: "time" }),
    };
    item.button.append(item.title, item.state, item.time);
    item.button.addEventListener("click", () => this.#options.choose(view.job_id));
    item.row.append(item.button);
    this.#items.set(view.job_id, item);
    mark(item.button, view.job_id === this.#current);
    return item;
  }

  #fill(item, view) {
    item.title.textContent = view.title;
    item.time.textContent = ago(view.created_at, serverNow());
    fillStatus(item, view.status, view.progress_percentage);
    this.#options.dress?.(item, view);
  }
}

function fillStatus(item, status, progress) {
  item.button.dataset.status = status;
  item.state.textContent = status === "processing" ? `${Math.round(progress)} %` : statusWord(status);
}

function mark(button, current) {
  if (current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
