/** What was wrong with a form: said at its fields, and in a summary with a link to each. */

import { element } from "./elements.js";
import { advice, plainly } from "./words.js";

/** More than these say nothing more. */
const MOST = 8;

/** The problems of one form; `names` are its fields as the API calls them, with what people call them. */
export class Problems {
  #form;
  #summary;
  #names;

  constructor(form, names) {
    this.#form = form;
    this.#summary = form.querySelector(".problems");
    this.#names = names;
    form.addEventListener("input", (event) => this.clearField(event.target.closest("[data-field]")?.dataset.field));
  }

  /** Say what the server said no with; `help` is put below what is not about a field. */
  show(problem, ...help) {
    if (problem.errors.length > 0) this.showErrors(problem.errors);
    else this.#sum(element("p", { text: problem.message }), element("p", { text: advice(problem) }), ...help).focus();
  }

  /** Say what is wrong with each field: `[{loc, msg}]`, as the API tells it. */
  showErrors(errors) {
    const items = errors.slice(0, MOST).map((error) => this.#item(error));
    if (errors.length > MOST) items.push(element("li", { text: `and ${errors.length - MOST} more.` }));
    const count = errors.length === 1 ? "One thing needs another look:" : `${errors.length} things need another look:`;
    const summary = this.#sum(element("p", { text: count }), element("ul", {}, ...items));
    (this.#form.querySelector("[aria-invalid]") ?? summary).focus();
  }

  clear() {
    Object.keys(this.#names).forEach((name) => this.clearField(name));
    this.#summary.hidden = true;
    this.#summary.replaceChildren();
  }

  clearField(name) {
    if (!(name in this.#names)) return;
    this.#control(name).removeAttribute("aria-invalid");
    this.#field(name).querySelector(".problem").textContent = "";
  }

  #field(name) {
    return this.#form.querySelector(`[data-field="${name}"]`);
  }

  #control(name) {
    return this.#field(name).querySelector(`[name="${name}"]`);
  }

  #item({ loc, msg }) {
    const [, name, ...within] = loc;
    // A number alone is a place in a list that people wrote without numbers.
    const said = within.length > 1 ? `${within.join(", ")}: ${plainly(msg)}` : plainly(msg);
    if (!(name in this.#names)) return element("li", { text: `${loc.slice(1).join(".")}: ${plainly(msg)}` });
    this.#mark(name, said);
    return element("li", {}, this.#link(name, said));
  }

  #sum(...parts) {
    this.#summary.replaceChildren(...parts);
    this.#summary.hidden = false;
    return this.#summary;
  }

  #mark(name, sentence) {
    const fold = this.#field(name).closest("details");
    if (fold) fold.open = true;
    this.#control(name).setAttribute("aria-invalid", "true");
    this.#field(name).querySelector(".problem").textContent ||= sentence;
  }

  #link(name, said) {
    const link = element("a", { text: `${this.#names[name]}: ${said}`, href: `#${this.#control(name).id || name}` });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      this.#control(name).focus();
    });
    return link;
  }
}
