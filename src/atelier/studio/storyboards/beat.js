/** One beat seen closely: its picture, how it is, and drawing it again. */

import { serverNow } from "../shared/api.js";
import { dollars, waiting } from "../shared/words.js";

const part = (name) => document.getElementById(`beat-${name}`);
const STATES = { pending: "Waiting", generating: "Being drawn", completed: "Drawn", failed: "Failed", cancelled: "Cancelled" };

export class BeatDialog {
  #dialog = document.getElementById("beat");
  #beat = null;

  /** `redraw(beat, wishes)` is asked to draw it again; it throws what went wrong. */
  constructor(redraw) {
    part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#redraw(redraw);
    });
    part("close").addEventListener("click", () => this.#dialog.close());
    // The dialog's own box is inside its frame: a click on the element itself is one beside it.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("close", () => (this.#beat = null));
  }

  open(beat) {
    this.#beat = beat;
    part("words").value = "";
    part("problem").textContent = "";
    part("picture").removeAttribute("src");
    this.show();
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /** Show the beat as it is now, where one is open; `find` returns it anew after the grid was read. */
  follow(find) {
    if (this.#beat === null) return;
    this.#beat = find(this.#beat) ?? this.#beat;
    this.show();
  }

  show() {
    const { style, shot_number: shot, beat_number: number, status, image_url: url } = this.#beat;
    part("title").textContent = `${style}, shot ${shot}, beat ${number}`;
    part("state").textContent = this.#state();
    part("problem-told").textContent = this.#beat.error ?? "";
    part("picture").hidden = part("open").hidden = !url;
    if (url && part("picture").getAttribute("src") !== url) part("picture").src = url;
    part("picture").alt = `${style}, beat ${number}`;
    if (url) part("open").href = url;
    part("warnings").textContent = (this.#beat.warnings ?? []).join(" ");
    const running = ["pending", "generating"].includes(status);
    part("redraw").setAttribute("aria-disabled", String(running));
  }

  #state() {
    const { status, state_reason: reason, resume_at: resumeAt, drawing, cost } = this.#beat;
    const why = status === "pending" && reason ? waiting({ reason, resumeAt }, serverNow()) : "";
    const times = drawing > 1 ? `drawn ${drawing} times` : "";
    return [STATES[status], why, times, cost ? dollars(cost) : ""].filter(Boolean).join(" · ");
  }

  async #redraw(redraw) {
    if (part("redraw").getAttribute("aria-disabled") === "true") return;
    const words = part("words").value.trim();
    part("problem").textContent = "";
    try {
      await redraw(this.#beat, words === "" ? {} : { ai_prompt: words });
      part("words").value = "";
    } catch (problem) {
      part("problem").textContent = problem.message;
    }
  }
}
