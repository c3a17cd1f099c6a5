/** The post on the desk: its stages and what each found, its text as it is written, and what became of it. */

import { copyButton } from "../shared/clipboard.js";
import { Label } from "../shared/label.js";
import { Article } from "./article.js";
import { Outcome } from "./outcome.js";
import { STAGES, sentence } from "./post.js";
import { StageList } from "./stages.js";

const WORDS = {
  finished: "The post is finished.",
  cancelled: "This post was cancelled.",
  gone: "There is no such post. It may have been removed.",
  stage: (post) => STAGES.get(post.stage) ?? "",
  message: sentence,
  reasons: { waiting_for_slot: "Every writer is busy; it begins as soon as one is free." },
  outcomes: { too_late: "The post was finished already; it was thrown away." },
};

/** There is room for the stages beside the text. */
const BESIDE = matchMedia("(min-width: 72rem)");

export class PostView {
  easel = document.getElementById("desk");
  #label = new Label("post-", WORDS);
  #stages = new StageList(document.getElementById("post-stages"));
  #article = new Article(document.getElementById("post-article"));
  #outcome = new Outcome();
  #post = null;

  /** `actions` are called with the job: `cancel` and `retry`. */
  constructor({ cancel, retry }) {
    this.#label.wire("cancel", cancel);
    this.#label.wire("retry", retry);
    const announce = (said) => this.#label.announce(said);
    copyButton(this.#label.part("copy-markdown"), () => this.#post.result.content, announce);
    copyButton(this.#label.part("copy-html"), () => this.#post.result.content_html, announce);
  }

  /** Show this job as it is now, and how the connection to it does. */
  show(post, link) {
    const opened = this.#post?.id !== post.id;
    const finished = post.result !== null && (opened || this.#post.result === null);
    this.#post = post;
    this.#label.show(post, link);
    this.#label.part("running").hidden = post.status === "completed";
    this.#stages.show(post);
    this.#article.show(post);
    this.#outcome.show(post);
    this.#label.showActions({ "copy-markdown": whole(post), "copy-html": whole(post) });
    // On a narrow screen how it was made stands above what was made: it is folded once that is there.
    if (opened || finished) document.getElementById("post-how").open = BESIDE.matches || post.result === null;
  }

  /** Nothing is shown any more. */
  clear() {
    this.#post = null;
    this.#label.close();
  }

  /** Whether its title stands so high that the text below it is seen, too. */
  inSight() {
    const { top } = this.easel.getBoundingClientRect();
    return top >= 0 && top < window.innerHeight / 3;
  }

  showActionProblem(text) {
    this.#label.showActionProblem(text);
  }
}

/** Whether the text is there: a stream's last event has the scores only. */
const whole = (post) => post.result?.content !== undefined;
