/** The post's text: its sections as they are written, the whole when it is finished. */

import { element } from "../shared/elements.js";
import { render } from "../shared/markdown.js";
import { sectionsOf } from "./post.js";

export class Article {
  #place;
  #id = null;
  #whole = null;
  #sections = new Map();

  constructor(place) {
    this.#place = place;
    place.addEventListener("click", (event) => this.#follow(event));
  }

  show(post) {
    if (post.id !== this.#id) this.#clear(post.id);
    const content = post.result?.content ?? null;
    if (content !== null && content !== this.#whole) this.#showWhole(content);
    else if (content === null) this.#showSections(sectionsOf(post));
    this.#place.hidden = this.#place.childElementCount === 0;
  }

  #clear(id) {
    this.#id = id;
    this.#whole = null;
    this.#sections.clear();
    this.#place.replaceChildren();
  }

  #showWhole(content) {
    this.#whole = content;
    this.#sections.clear();
    this.#place.replaceChildren(render(content));
  }

  /** Add the sections that are new; one whose text has not been read yet has its heading only. */
  #showSections(sections) {
    for (const section of sections) {
      const text = section.markdown ?? "";
      const known = this.#sections.get(section.number);
      if (known?.text === text) continue;
      const place = known?.place ?? element("section");
      place.replaceChildren(...heading(section, text), render(text));
      if (!known) this.#place.append(place);
      this.#sections.set(section.number, { text, place });
    }
  }

  /** Follow a link to a heading of the text without touching the page's address, which names the job. */
  #follow(event) {
    const link = event.target.closest("a[data-to]");
    if (!link) return;
    event.preventDefault();
    const target = [...this.#place.querySelectorAll("[data-anchor]")].find((named) => named.dataset.anchor === link.dataset.to);
    target?.focus({ preventScroll: true });
    target?.scrollIntoView({ block: "start" });
  }
}

/** Return the section's heading, unless its text begins with one. */
const heading = (section, text) => (/^\s*#/.test(text) ? [] : [element("h4", { text: section.title })]);
