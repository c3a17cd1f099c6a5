/** The picture on the easel: its stages, what emerges in the frame, its facts, and what can be done with it. */

import { copyButton } from "../shared/clipboard.js";
import { element } from "../shared/elements.js";
import { ended } from "../shared/job.js";
import { present } from "../shared/key.js";
import { Label } from "../shared/label.js";
import { recall } from "../shared/memory.js";
import { curl } from "../shared/words.js";
import { images } from "./door.js";
import { Frame, ratioOf } from "./frame.js";
import { STAGES } from "./job.js";

const NAMES = new Map(STAGES.map((stage) => [stage, stage[0].toUpperCase() + stage.slice(1)]));
const PARTS = { base_model: "Base model", refiner_model: "Refiner" };
const WORDS = {
  finished: "The picture is finished.",
  cancelled: "This picture was cancelled.",
  gone: "There is no such picture. It may have been removed.",
  stage: (job) => NAMES.get(job.stage) ?? "",
  message,
  reasons: {
    waiting_for_slot: "Every place at the easel is taken; it begins as soon as one is free.",
    storing: "The picture is drawn and waits to be stored.",
  },
  outcomes: { too_late: "The picture was there already; it was thrown away." },
};

export class PictureView {
  easel = document.getElementById("easel");
  #frame = new Frame();
  #label = new Label("", WORDS);
  #job = null;
  #stages = [...NAMES].map(([stage, name]) => {
    const state = element("span", { name: "unseen" });
    const item = element("li", { "data-stage": stage }, name, state);
    this.#label.part("stages").append(item);
    return { item, state };
  });

  /** `actions` are called with the job: `cancel`, `retry`, and `useSeed` with a seed. */
  constructor({ cancel, retry, useSeed }) {
    this.#label.wire("cancel", cancel);
    this.#label.wire("retry", retry);
    this.#label.wire("use-seed", (job) => useSeed(job.result.images[0].seed));
    const command = () => curl(location.origin, images.request(recall(this.#job.id)), present() !== "");
    copyButton(this.#label.part("copy-curl"), command, (said) => this.#label.announce(said));
  }

  /** Show this job as it is now, and how the connection to it does. */
  show(job, link) {
    const before = this.#job;
    this.#job = job;
    const begunAgain = before?.id === job.id && job.seq > before.seq && job.reached === "queued";
    if (before?.id !== job.id || begunAgain) this.#frame.reset(shapeOf(job));
    this.#label.show(job, link);
    this.#showStages();
    this.#showPicture(link);
    this.#showFacts();
    this.#showActions();
  }

  /** Nothing is shown any more. */
  clear() {
    this.#job = null;
    this.#label.close();
  }

  /** Whether the whole frame is seen, or where there is none, what is said instead. */
  inSight() {
    const seen = this.#frame.element.checkVisibility() ? this.#frame.element : this.#label.part("link");
    const { top, bottom } = seen.getBoundingClientRect();
    return top >= 0 && bottom <= window.innerHeight;
  }

  showActionProblem(text) {
    this.#label.showActionProblem(text);
  }

  #showStages() {
    const job = this.#job;
    const at = STAGES.indexOf(job.reached);
    this.#stages.forEach(({ item, state }, index) => {
      const done = index < at || job.status === "completed";
      const current = index === at && !done;
      item.className = done ? "done" : current ? (ended(job) ? "stopped" : "current") : "";
      state.textContent = done ? ", done" : current && ended(job) ? ", stopped here" : "";
      if (current && !ended(job)) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  #showPicture(link) {
    const job = this.#job;
    this.#frame.setWorking(!ended(job) && link.state !== "gone");
    const made = job.result?.images[0];
    if (made) {
      const sorry = "The picture is there, but it could not be loaded; try “Open”.";
      this.#frame.showPicture(made, () => this.showActionProblem(sorry));
    } else if (job.previewUrl && job.stage === "generating" && !ended(job)) {
      this.#frame.showPreview(job.previewUrl, job.title);
    }
  }

  #showFacts() {
    const made = this.#job.result?.images[0];
    const place = this.#label.part("facts");
    place.hidden = !made;
    if (!made) return;
    const facts = [
      ["Size", sizeOf(made)],
      ["Model", made.model ?? this.#job.result.model],
      ["Seed", made.seed],
      ["Made in", `${this.#job.result.generation_time_seconds.toFixed(1)} s`],
    ];
    place.replaceChildren(...facts.filter(([, value]) => value != null).map(fact));
  }

  #showActions() {
    const made = this.#job.result?.images[0];
    for (const name of ["open", "download"]) if (made) this.#label.part(name).href = made.image_url;
    if (made) this.#label.part("download").download = `${made.image_id}.${made.format}`;
    this.#label.showActions({
      open: made !== undefined,
      download: made !== undefined,
      "use-seed": made?.seed != null,
      "copy-curl": recall(this.#job.id) !== null,
    });
  }
}

const shapeOf = (job) => ratioOf(job.aspectRatio ?? recall(job.id)?.aspect_ratio);

/** Say what goes on: the part that runs, where it is told, and the step. Messages name their step themselves mostly. */
function message(job) {
  const said = job.message.replace(/\bstep (\d+)\/(\d+)/, "step $1 of $2");
  const step = job.step === null ? "" : `step ${job.step} of ${job.totalSteps}`;
  const part = PARTS[job.part] ?? "";
  return [said, said.includes(part) ? "" : part, said.includes(step) ? "" : step].filter(Boolean).join(" · ");
}

function sizeOf({ width, height, format, size_bytes: bytes }) {
  const pixels = `${width} × ${height} ${format.toUpperCase()}`;
  return bytes ? `${pixels}, ${Math.max(1, Math.round(bytes / 1000))} kB` : pixels;
}

const fact = ([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: String(value) }));
