/** The frame of one scene's picture: why it is empty, how far it is, the picture, or what went wrong. */

import { element } from "../shared/elements.js";
import { vendor } from "../shared/words.js";

const LOST = "The picture is there, but it could not be loaded.";
/** What is wrong with these may be mended in the settings. */
const KEYS = new Set(["provider_not_configured", "provider_bad_key", "provider_no_credit"]);

/** A frame; `actions`: `open(number)`, `repaint(number)` and `settings()`. */
export class Plate {
  #number;
  #image = null;
  #said = element("p", { name: "said-so" });
  #bar = element("progress", { max: "100" });
  #by = element("p", { name: "by" });
  #left = element("p", { name: "by" });
  #state = element("div", { name: "unpainted" }, this.#said, this.#bar, this.#by, this.#left);
  #error = element("p", { name: "problem" });
  #again = element("button", { name: "plain", type: "button", text: "Try again" });
  #settings = element("button", { name: "plain", type: "button", text: "Open settings" });
  #trouble = element("div", { name: "trouble" }, this.#error, element("div", { name: "actions" }, this.#again, this.#settings));
  #canvas = element("button", { name: "canvas", type: "button", "aria-haspopup": "dialog" });
  #caption = element("figcaption", { name: "hint" });
  element = element("figure", { name: "plate", tabindex: "-1" }, element("div", { name: "inside" }, this.#state, this.#trouble, this.#canvas), this.#caption);

  constructor(number, { open, repaint, settings }) {
    this.#number = number;
    this.element.dataset.number = number;
    this.#bar.setAttribute("aria-label", `Progress of picture ${number}`);
    this.#again.setAttribute("aria-label", `Try again: picture ${number}`);
    this.#canvas.addEventListener("click", () => open(number));
    this.#again.addEventListener("click", () => repaint(number));
    this.#settings.addEventListener("click", () => settings());
  }

  /** Show the picture as it is now, of so many; `left` says when all are there. */
  show(image, total, left) {
    this.#left.textContent = left;
    if (image === this.#image) return;
    const focused = this.element.contains(document.activeElement) && document.activeElement;
    this.#image = image;
    this.element.dataset.status = image.status;
    this.#state.hidden = !["pending", "generating"].includes(image.status);
    this.#trouble.hidden = image.status !== "failed";
    this.#canvas.hidden = image.status !== "completed";
    this.#showState(image, total);
    this.#showTrouble(image);
    this.#showPicture(image);
    // What had the focus may be gone now; the keyboard shall not fall back to the page's top.
    if (focused && !focused.checkVisibility()) this.element.focus({ preventScroll: true });
  }

  #showState({ status, progress, provider, attempts }, total) {
    const painting = status === "generating";
    this.#said.textContent = painting ? `Painting scene ${this.#number} of ${total}…` : "Waiting for artist…";
    this.#bar.hidden = this.#by.hidden = this.#left.hidden = !painting;
    this.#bar.value = progress;
    const by = provider ? `by ${vendor(provider)}` : "";
    this.#by.textContent = [by, attempts > 1 ? `attempt ${attempts}` : ""].filter(Boolean).join(", ");
  }

  #showTrouble({ error, code, job_id: job }) {
    this.#error.textContent = error ?? "";
    this.#again.hidden = job === null;
    this.#settings.hidden = !KEYS.has(code);
  }

  #showPicture({ image_url: url, alt_text: alt, provider }) {
    this.#caption.textContent = url && provider ? `Painted by ${vendor(provider)}` : "";
    if (!url) this.#canvas.replaceChildren();
    if (!url || this.#canvas.firstElementChild?.getAttribute("src") === url) return;
    this.#canvas.setAttribute("aria-label", `Picture ${this.#number}, larger: ${alt}`);
    const picture = element("img", { src: url, alt, loading: "lazy", decoding: "async" });
    picture.addEventListener("error", () => this.#canvas.replaceChildren(element("span", { name: "problem", text: LOST })));
    this.#canvas.replaceChildren(picture);
  }
}
