/** The thirteen stages as a list that fills in with what each one found. */

import { element } from "../shared/elements.js";
import { stagesOf } from "./post.js";

const STATES = { done: ", done", skipped: ", skipped", stopped: ", stopped here", current: "", todo: "" };

export class StageList {
  #list;
  #items = new Map();
  #shown = new Map();

  constructor(list) {
    this.#list = list;
  }

  show(post) {
    for (const stage of stagesOf(post)) {
      const state = JSON.stringify(stage);
      // A list of thirteen that is written anew at every percent would make screen readers lose their place.
      if (this.#shown.get(stage.stage) !== state) this.#fill(this.#items.get(stage.stage) ?? this.#add(stage), stage);
      this.#shown.set(stage.stage, state);
    }
  }

  #add({ stage, name }) {
    const item = {
      row: element("li", { "data-stage": stage }), state: element("span", { name: "unseen" }),
      found: element("p", { name: "found" }), why: element("p", { name: "why" }), figures: element("dl", { name: "figures" }),
    };
    item.row.append(element("h4", {}, name, item.state), item.found, item.why, item.figures);
    this.#items.set(stage, item);
    this.#list.append(item.row);
    return item;
  }

  #fill(item, { state, found, why, figures }) {
    item.row.className = state;
    item.state.textContent = STATES[state];
    item.found.textContent = found;
    item.why.textContent = why;
    item.figures.replaceChildren(...figures.map(([name, value]) => figure(name, value)));
    if (state === "current") item.row.setAttribute("aria-current", "step");
    else item.row.removeAttribute("aria-current");
  }
}

const figure = (name, value) =>
  element("div", {}, element("dt", { text: name.replaceAll("_", " ") }), element("dd", { text: said(value) }));

const said = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
