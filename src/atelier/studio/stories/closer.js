/** One picture seen closely, with its scene; arrows lead to the others that are painted. */

const part = (name) => document.getElementById(`closer-${name}`);
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export class Closer {
  #dialog = document.getElementById("closer");
  #story = null;
  #number = 0;

  constructor() {
    part("close").addEventListener("click", () => this.close());
    part("before").addEventListener("click", () => this.#step(-1));
    part("after").addEventListener("click", () => this.#step(1));
    this.#dialog.addEventListener("keydown", (event) => event.key in STEPS && this.#step(STEPS[event.key]));
    // The dialog's own box is inside its frame: a click on the element itself is one beside it.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.close());
  }

  open(story, number) {
    this.#story = story;
    this.#show(number);
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /** Show the story as it is now: more may be painted. */
  follow(story) {
    if (!this.#dialog.open) return;
    if (story.id !== this.#story.id) return this.close();
    this.#story = story;
    this.#show(this.#number);
  }

  #step(by) {
    const next = this.#next(by);
    if (next) this.#show(next.event_number);
  }

  /** Return the next picture that is painted, or undefined. */
  #next(by) {
    const { images } = this.#story;
    const others = by > 0 ? images.slice(this.#number) : images.slice(0, this.#number - 1).reverse();
    return others.find(({ status }) => status === "completed");
  }

  #show(number) {
    const image = this.#story.images[number - 1];
    if (image?.status !== "completed") return this.close();
    this.#number = number;
    part("title").textContent = `Scene ${number} of ${this.#story.images.length}`;
    if (part("picture").getAttribute("src") !== image.image_url) part("picture").src = image.image_url;
    part("picture").alt = part("words").textContent = image.alt_text;
    part("open").href = image.image_url;
    part("before").setAttribute("aria-disabled", String(!this.#next(-1)));
    part("after").setAttribute("aria-disabled", String(!this.#next(1)));
  }
}
