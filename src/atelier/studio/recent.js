/** The recent jobs, as the server has them. */

import { listJobs, serverNow } from "./api.js";
import { ago, statusWord } from "./words.js";

const SHOWN = 24;
const EVERY = 7000;
const ENDED = ["completed", "failed", "cancelled"];

/** A list that refreshes itself while the tab is visible; `choose(id)` hears clicks. */
export class Recent {
  views = [];
  #list = document.getElementById("recent");
  #note = document.getElementById("recent-note");
  #items = new Map();
  #choose;
  #current = null;
  #loading = false;
  #again = false;

  constructor(choose) {
    this.#choose = choose;
    setInterval(() => this.#visible() && this.refresh(), EVERY);
    document.addEventListener("visibilitychange", () => this.#visible() && this.refresh());
  }

  /** Read the list again. Asked while it is being read, it is read once more: the answer may be older than the wish. */
  async refresh() {
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    do {
      this.#again = false;
      await this.#read();
    } while (this.#again);
    this.#loading = false;
  }

  /** Return the newest job that has not ended. */
  running() {
    return this.views.find((view) => !ENDED.includes(view.status)) ?? null;
  }

  /** Mark the job that is on the easel. */
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
    return document.visibilityState === "visible";
  }

  async #read() {
    try {
      this.views = (await listJobs(SHOWN)).jobs;
    } catch (problem) {
      if (this.views.length === 0) this.#say(`${problem.message} The list comes back by itself.`);
      return;
    }
    this.#render();
  }

  #say(text) {
    this.#note.textContent = text;
    this.#note.hidden = text === "";
  }

  #render() {
    this.#say(this.views.length === 0 ? "Nothing has been made yet." : "");
    const present = new Set(this.views.map((view) => view.job_id));
    for (const [id, item] of this.#items) {
      if (!present.has(id)) {
        item.row.remove();
        this.#items.delete(id);
      }
    }
    this.views.forEach((view, index) => {
      const item = this.#items.get(view.job_id) ?? this.#add(view);
      fill(item, view);
      // Moving a row that is in its place already would take the keyboard's focus from it.
      if (this.#list.children[index] !== item.row) this.#list.insertBefore(item.row, this.#list.children[index] ?? null);
    });
  }

  #add(view) {
    const item = {
      row: make("li"), button: make("button", "work"), thumb: make("span", "thumb"), title: make("span", "name"),
      state: make("span", "state"), time: make("span", "time"),
    };
    item.button.type = "button";
    item.button.append(item.thumb, item.title, item.state, item.time);
    item.button.addEventListener("click", () => this.#choose(view.job_id));
    item.row.append(item.button);
    this.#items.set(view.job_id, item);
    mark(item.button, view.job_id === this.#current);
    return item;
  }
}

function fill(item, view) {
  item.title.textContent = view.title;
  item.time.textContent = ago(view.created_at, serverNow());
  fillStatus(item, view.status, view.progress_percentage);
  const url = view.result?.images[0].thumbnail_url ?? null;
  if (url !== null && item.thumb.dataset.url !== url) {
    const image = make("img");
    Object.assign(image, { src: url, alt: "", loading: "lazy", decoding: "async" });
    item.thumb.dataset.url = url;
    item.thumb.replaceChildren(image);
  } else if (url === null && item.thumb.dataset.url) {
    delete item.thumb.dataset.url;
    item.thumb.replaceChildren();
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

function make(tag, name = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}
