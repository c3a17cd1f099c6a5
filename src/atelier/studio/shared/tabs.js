/** The tabs: one panel works at a time; the address says which, and what it shows. */

import { element } from "./elements.js";

const ADDRESS = /^#([a-z]+)(?:=([\w-]+))?$/;
const NAME = "atelier";
const FAILED = "This could not be loaded. Check the connection and choose the tab again.";
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/**
 * A tab with its panel. What it holds is fetched when it is first chosen: `panel.html`, `panel.js` and, where there is
 * one of its own, `style.css`, from the folder of its name.
 */
class Room {
  working = false;
  #panel = null;
  #loading = null;
  #title = NAME;
  #tabs;

  constructor(tabs, tab) {
    this.#tabs = tabs;
    this.tab = tab;
    this.name = tab.dataset.room;
    this.item = tab.dataset.item;
    this.tagline = tab.dataset.tagline;
    this.place = document.getElementById(tab.getAttribute("aria-controls"));
    tab.addEventListener("click", (event) => this.#followAgain(event));
  }

  /** Return the panel: `enter(id)`, `go(id)`, `leave()`; null where it could not be loaded. */
  load() {
    this.#loading ??= this.#fetch().catch((error) => {
      this.#loading = null;
      this.place.replaceChildren(element("p", { name: "problems", role: "alert", text: FAILED }));
      console.error(error);
      return null;
    });
    return this.#loading;
  }

  rest() {
    this.#panel?.leave();
    this.working = false;
  }

  async #fetch() {
    const [html, panel] = await Promise.all([this.#read("panel.html"), import(`../${this.name}/panel.js`), this.#dress()]);
    this.place.innerHTML = html;
    this.#panel = panel.open({
      current: () => this.#tabs.current === this,
      goTo: (id, instead = false) => this.#goTo(`#${this.item}=${id}`, instead),
      goHome: () => this.#goHome(),
      setTitle: (title) => this.#setTitle(title),
    });
    return this.#panel;
  }

  async #read(file) {
    const response = await fetch(new URL(`../${this.name}/${file}`, import.meta.url));
    if (!response.ok) throw new Error(`${file} is missing.`);
    return response.text();
  }

  #dress() {
    const sheet = element("link", { rel: "stylesheet", href: new URL(`../${this.name}/style.css`, import.meta.url) });
    return new Promise((resolve, reject) => {
      sheet.addEventListener("load", resolve);
      sheet.addEventListener("error", () => reject(new Error("style.css is missing.")) ?? sheet.remove());
      document.head.append(sheet);
    });
  }

  /** The tab leads back to what was shown in it last. `instead`: the way back shall not lead to the address that is left. */
  #goTo(hash, instead) {
    this.tab.href = hash;
    if (this.#tabs.current !== this || location.hash === hash) return;
    if (instead) location.replace(hash);
    else location.hash = hash;
  }

  /** Nothing is shown any more: the tab does not lead to what was, nor does the way back where the address still names it. */
  #goHome() {
    const named = ADDRESS.exec(location.hash)?.[1] === this.item;
    this.tab.href = `#${this.name}`;
    this.#setTitle(NAME);
    if (this.#tabs.current === this && named) location.replace(this.tab.href);
  }

  #setTitle(title) {
    this.#title = title;
    this.showTitle();
  }

  showTitle() {
    if (this.#tabs.current === this) document.title = this.#title;
  }

  /** A tab that could not be loaded is chosen again: its address is the same, so nothing would happen by itself. */
  #followAgain(event) {
    if (this.tab.hash !== location.hash || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#tabs.follow();
  }
}

export class Tabs {
  current = null;
  #rooms;
  #list;

  /** `list` is the tablist; each tab says its room, what an address calls one of its things, and its tagline. */
  constructor(list) {
    this.#list = list;
    this.#rooms = [...list.querySelectorAll("[role=tab]")].map((tab) => new Room(this, tab));
    list.addEventListener("keydown", (event) => this.#onKey(event));
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
    if (this.current === null) this.#show(this.#rooms[0], null);
  }

  /** Show what the address says: the first tab where it says nothing; what is none of ours changes nothing. */
  follow() {
    const [, name, id = null] = ADDRESS.exec(location.hash || `#${this.#rooms[0].name}`) ?? [];
    const room = this.#rooms.find((known) => name === (id === null ? known.name : known.item));
    if (room) this.#show(room, id);
  }

  async #show(room, id) {
    if (this.current !== room) this.#select(room);
    const panel = await room.load();
    if (this.current !== room || panel === null) return;
    if (room.working) panel.go(id);
    else panel.enter(id);
    room.working = true;
  }

  #select(room) {
    this.current?.rest();
    this.current = room;
    for (const other of this.#rooms) {
      const chosen = other === room;
      other.tab.setAttribute("aria-selected", String(chosen));
      other.tab.tabIndex = chosen ? 0 : -1;
      other.place.hidden = !chosen;
    }
    document.getElementById("tagline").textContent = room.tagline;
    room.showTitle();
  }

  /** Arrows, Home and End choose a tab; one history entry is enough for a walk through them. */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#rooms.indexOf(this.current);
    const count = this.#rooms.length;
    const next = { Home: 0, End: count - 1 }[event.key] ?? (event.key in STEPS ? (at + STEPS[event.key] + count) % count : null);
    if (next === null) return;
    event.preventDefault();
    this.#rooms[next].tab.focus();
    location.replace(this.#rooms[next].tab.hash);
  }
}
