/** The story on the lectern: its text at once, its pictures as they are painted, and what can be done with it. */

import { copyButton } from "../shared/clipboard.js";
import { ended } from "../shared/job.js";
import { Label } from "../shared/label.js";
import { vendor } from "../shared/words.js";
import { openSettings } from "../settings/panel.js";
import { Closer } from "./closer.js";
import { Pages } from "./pages.js";
import { countsOf, repaintable } from "./story.js";

const STAGES = { queued: "Waiting.", writing: "The story is being written.", painting: "The story can be read." };
const WORDS = {
  finished: "The story is finished.",
  cancelled: "This story was cancelled.",
  gone: "There is no such story. It may have been removed.",
  completed: (story) => (countsOf(story).failed > 0 ? story.message : ""),
  stage: (story) => STAGES[story.stage] ?? "",
  message,
  until: (story) => (story.stage === "painting" ? "left" : "until it can be read"),
};

export class StoryView {
  easel = document.getElementById("lectern");
  #label = new Label("story-", WORDS);
  #closer = new Closer();
  #pages;
  #sure = document.getElementById("story-sure");
  #story = null;

  /** `actions` are called with the story: `cancel`, `retry`, `remove`, and `repaint` with scenes' numbers, too. */
  constructor({ cancel, retry, remove, repaint }) {
    this.#label.wire("cancel", cancel);
    this.#label.wire("retry", retry);
    this.#label.wire("repaint", (story) => repaint(story, repaintable(story)));
    this.#label.wire("delete", () => this.#askWhetherSure());
    this.#sure.addEventListener("close", () => this.#sure.returnValue === "delete" && remove(this.#story));
    copyButton(this.#label.part("copy"), () => `${this.#story.title}\n\n${this.#story.text}\n`, (said) => this.#label.announce(said));
    this.#pages = new Pages(document.getElementById("story-pages"), {
      open: (number) => this.#closer.open(this.#story, number),
      repaint: (number) => repaint(this.#story, [number]),
      settings: openSettings,
    });
  }

  /** Show this story as it is now, and how the connection to it does. */
  show(story, link) {
    const before = this.#story;
    this.#story = story;
    this.#label.show(story, link);
    this.#label.part("running").hidden = story.status === "completed";
    this.#showHead();
    this.#pages.show(story);
    this.#closer.follow(story);
    this.#showActions();
    if (before?.id === story.id) this.#announce(countsOf(before), countsOf(story));
  }

  /** Nothing is shown any more. */
  clear() {
    this.close();
    this.#story = null;
    this.#label.close();
  }

  /** Close what is open above the page. */
  close() {
    this.#closer.close();
    this.#sure.close("");
  }

  /** Whether its title stands so high that the text below it is seen, too. */
  inSight() {
    const { top } = this.easel.getBoundingClientRect();
    return top >= 0 && top < window.innerHeight / 3;
  }

  showActionProblem(text) {
    this.#label.showActionProblem(text);
  }

  #askWhetherSure() {
    this.#sure.returnValue = "";
    this.#sure.showModal();
  }

  #showHead() {
    const { level, scenes, images } = this.#story;
    const { total, completed } = countsOf(this.#story);
    const painted = completed < total ? `${completed} of ${total} pictures` : `${total} ${total === 1 ? "picture" : "pictures"}`;
    const facts = [level && `for ${level}`, scenes.length > 0 && images.length > 0 && painted];
    this.#label.part("facts").textContent = facts.filter(Boolean).join(" · ");
    this.#label.part("blank").hidden = scenes.length > 0 || ended(this.#story);
  }

  #showActions() {
    const story = this.#story;
    const over = ended(story);
    const told = story.scenes.length > 0;
    this.#label.showActions({
      retry: ["failed", "cancelled"].includes(story.status) && !told,
      repaint: over && repaintable(story).length > 1,
      copy: told,
      delete: over,
    });
    this.#label.part("repaint").textContent = `Try all ${repaintable(story).length} again`;
  }

  /** Tell screen readers of each picture that came or failed. */
  #announce(before, now) {
    if (now.completed > before.completed) this.#label.announce(`${now.completed} of ${now.total} pictures are there.`);
    else if (now.failed > before.failed) this.#label.announce("A picture failed; it can be tried again.");
  }
}

/** Say what goes on, and who paints. */
function message({ message: said, provider, stage }) {
  return [said, stage === "painting" && provider ? vendor(provider) : ""].filter(Boolean).join(" · ");
}
