/** The story as a book: every scene's text, with its picture's frame beside it. */

import { serverNow } from "../shared/api.js";
import { element } from "../shared/elements.js";
import { render } from "../shared/markdown.js";
import { duration } from "../shared/words.js";
import { Plate } from "./plate.js";

export class Pages {
  #place;
  #actions;
  #shown = "";
  #plates = [];

  /** `actions` are those of the frames. */
  constructor(place, actions) {
    this.#place = place;
    this.#actions = actions;
  }

  /** Show the text once it is there; then only the frames change. */
  show({ id, scenes, images, remaining }) {
    const shown = JSON.stringify([id, scenes, images.length]);
    if (shown !== this.#shown) this.#build(scenes, images.length > 0);
    this.#shown = shown;
    const seconds = remaining === null ? 0 : remaining.seconds - (serverNow() - remaining.at) / 1000;
    const left = seconds >= 1 ? `all in about ${duration(seconds)}` : "";
    this.#plates.forEach((plate, index) => plate.show(images[index], images.length, left));
  }

  #build(scenes, illustrated) {
    this.#plates = illustrated ? scenes.map(({ number }) => new Plate(number, this.#actions)) : [];
    this.#place.hidden = scenes.length === 0;
    this.#place.classList.toggle("illustrated", illustrated);
    this.#place.replaceChildren(...scenes.map((scene, index) => page(scene, this.#plates[index])));
  }
}

function page({ number, text }, plate) {
  const words = element("div", { name: "words" }, render(text));
  return element("section", { name: "scene", "aria-label": `Scene ${number}` }, words, ...(plate ? [plate.element] : []));
}
