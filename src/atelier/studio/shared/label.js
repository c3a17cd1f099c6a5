/** What is said about a job of any kind: progress, waits, times, the verdict, and what can be done with it. */

import { serverNow } from "./api.js";
import { element } from "./elements.js";
import { ended } from "./job.js";
import { duration, receipt, waiting } from "./words.js";

const TICK = 250;

/**
 * The label of one job.
 *
 * `prefix` begins the ids of its parts. `words` has `finished`, `cancelled`, `gone`, `stage(job)`, `message(job)`, and where the
 * kind has words of its own, `reasons`, `outcomes`, `completed(job)` for the verdict, and `until(job)`, what the time left leads to.
 */
export class Label {
  #prefix;
  #words;
  #job = null;
  #link = { state: "live" };
  #announced = "";

  constructor(prefix, words) {
    this.#prefix = prefix;
    this.#words = words;
    setInterval(() => this.#tick(), TICK);
  }

  /** Return a part of the label. */
  part(name) {
    return document.getElementById(this.#prefix + name);
  }

  /** Call `action(job)` when a button is pressed. */
  wire(name, action) {
    this.part(name).addEventListener("click", () => action(this.#job));
  }

  /** Show this job as it is now, and how the connection to it does. */
  show(job, link) {
    if (job.id !== this.#job?.id) this.#open();
    this.#job = job;
    this.#link = link;
    this.part("job-title").textContent = job.title;
    this.#showProgress();
    this.#showVerdict();
    this.#tick();
    this.#announce();
  }

  /** Show which actions there are, named as their parts; those of every kind are added, where `own` does not say otherwise. */
  showActions(own) {
    const job = this.#job;
    const focused = document.activeElement;
    const there = { cancel: !ended(job) && this.#link.state !== "gone", retry: ["failed", "cancelled"].includes(job.status), ...own };
    for (const [name, shown] of Object.entries(there)) this.part(name).hidden = !shown;
    this.part("cancel").setAttribute("aria-disabled", String(job.reason === "cancelling"));
    // The focused button may be gone now; the keyboard shall not fall back to the page's top.
    if (focused?.parentElement === this.part("actions") && focused.hidden) this.part("job-title").focus({ preventScroll: true });
  }

  /** Say what went wrong with an action; empty takes it back. */
  showActionProblem(text) {
    this.part("action-problem").textContent = text;
  }

  /** Say something to screen readers. */
  announce(text) {
    this.part("announcer").textContent = text;
  }

  /** Nothing is shown any more. */
  close() {
    this.#job = null;
    this.part("nothing").hidden = false;
    this.part("job").hidden = true;
  }

  #open() {
    this.part("nothing").hidden = true;
    this.part("job").hidden = false;
    this.#announced = "";
    this.showActionProblem("");
  }

  #showProgress() {
    const job = this.#job;
    this.part("running").classList.toggle("over", ended(job));
    this.part("job").classList.toggle("gone", this.#link.state === "gone");
    this.part("progress").value = job.progress;
    this.part("progress").textContent = this.part("percent").textContent = `${Math.floor(job.progress)} %`;
    this.part("message").textContent = ended(job) ? "" : this.#words.message(job);
  }

  #showVerdict() {
    const job = this.#job;
    const verdicts = { completed: this.#words.completed?.(job), failed: job.error, cancelled: this.#words.cancelled };
    this.#fill("verdict", verdicts[job.status] ?? "");
    this.part("verdict").dataset.status = job.status;
    this.#fill("receipt", job.cancellation ? receipt(job.cancellation, this.#words.outcomes) : "");
    this.part("warnings").hidden = job.warnings.length === 0;
    this.part("warnings").replaceChildren(...job.warnings.map((text) => element("li", { text })));
  }

  /** Everything that changes with the clock alone. */
  #tick() {
    const job = this.#job;
    if (job === null) return;
    const now = serverNow();
    this.#fill("reason", ended(job) ? "" : waiting(job, now, this.#words.reasons));
    const times = [];
    if (job.begunAt && job.status !== "completed") times.push(elapsed(job, now));
    if (!ended(job) && job.remaining && job.reason === null) times.push(left(job, now, this.#words.until?.(job) ?? "left"));
    if (job.attempt > 1 && job.reason === null) times.push(`attempt ${job.attempt} of ${job.maxAttempts}`);
    write(this.part("times"), times.join(" · "));
    this.#fill("link", this.#connection());
  }

  #connection() {
    const link = this.#link;
    if (link.state === "gone") return this.#words.gone;
    if (link.state !== "cut") return "";
    const seconds = Math.ceil((link.until - Date.now()) / 1000);
    return `The connection is cut; the job goes on. ${seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now."}`;
  }

  #fill(name, text) {
    const place = this.part(name);
    write(place, text);
    if (place.hidden !== (text === "")) place.hidden = text === "";
  }

  /** Tell stages, waits and ends to screen readers, not every percent. */
  #announce() {
    const job = this.#job;
    const state = [job.stage, job.reason, this.#link.state].join();
    if (state === this.#announced) return;
    this.#announced = state;
    const verdict = { completed: this.#words.finished, failed: `It failed: ${job.error}`, cancelled: "It was cancelled." }[job.status];
    if (this.#link.state === "gone") return this.announce(this.#words.gone);
    const said = [verdict ?? this.#words.stage(job), waiting(job, serverNow(), this.#words.reasons), this.#connection()];
    this.announce(said.filter(Boolean).join(" "));
  }
}

/** Writing the same text again would be painted again, and make some screen readers repeat it. */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function elapsed(job, now) {
  const end = job.endedAt === null ? now : Date.parse(job.endedAt);
  const span = duration((end - Date.parse(job.begunAt)) / 1000);
  return job.endedAt === null ? `${span} elapsed` : `Ended after ${span}`;
}

function left(job, now, until) {
  const seconds = job.remaining.seconds - (now - job.remaining.at) / 1000;
  if (seconds >= 1) return `about ${duration(seconds)} ${until}`;
  return job.progress < 85 ? "taking longer than usual" : "any moment now";
}
