/** The form of a storyboard: where it lies, its prompts as JSON, and what drawing it would take. */

import { element } from "../shared/elements.js";
import { Form } from "../shared/form.js";
import { Problems } from "../shared/problems.js";
import { dollars, duration } from "../shared/words.js";

const NAMES = { projectPath: "Project", promptsByStyle: "Prompts", redraw: "Drawn again" };
const BEATS = [
  "A lighthouse above a calm sea at dawn", "A sailing boat leaves the harbour", "Clouds gather above the mountains",
  "A storm over the sea, the lighthouse in the rain", "The boat between high waves", "The beam of the lighthouse in the night",
  "The storm is over, the moon above the sea", "The boat comes home at sunrise",
];
const EXAMPLE = {
  projectPath: "films/lighthouse",
  promptsByStyle: Object.fromEntries(["illustration", "clear"].map((style) => [style, BEATS.map(exampleBeat)])),
};

/** The form; `submit(request)` and `plan(request)` are called with what the API shall get. */
export class BoardForm {
  #form = document.getElementById("board-commission");
  #problems = new Problems(this.#form, NAMES);
  #sending;
  #prompts = document.getElementById("prompts");
  #file = document.getElementById("prompts-file");

  constructor(submit, plan) {
    this.#sending = new Form(this.#form, () => this.#check(submit));
    document.getElementById("board-plan").addEventListener("click", () => this.#check(plan));
    this.#file.addEventListener("change", () => this.#readFile());
    document.getElementById("board-example").addEventListener("click", () => this.#showExample());
    this.#prompts.addEventListener("input", () => this.#sum());
  }

  setBusy(busy) {
    this.#sending.setBusy(busy);
  }

  showProblem(problem) {
    const { request } = understand(this.#prompts.value);
    problem.errors = problem.errors.map((error) => ({ ...error, loc: named(error.loc, request?.promptsByStyle ?? {}) }));
    this.#problems.show(problem);
  }

  /** Say what an order would do; null takes it back. */
  showPlan(plan) {
    const place = document.getElementById("board-planned");
    place.hidden = plan === null;
    place.replaceChildren(...(plan === null ? [] : sentences(plan).map((text) => element("p", { text }))));
  }

  async #readFile() {
    const [file] = this.#file.files;
    if (!file) return;
    const text = await file.text();
    // The field keeps a copy of this name: the same file chosen again, after it was mended, shall count.
    const copy = new DataTransfer();
    copy.items.add(new File([text], file.name));
    this.#file.files = copy.files;
    this.#fillIn(text);
  }

  #showExample() {
    this.#file.value = "";
    this.#fillIn(JSON.stringify(EXAMPLE, null, 1));
  }

  #fillIn(text) {
    this.#prompts.value = text;
    this.#problems.clearField("promptsByStyle");
    this.#sum();
  }

  /** Say how much it is, and take the project's path where the prompts bring one. */
  #sum() {
    const { request, problem } = understand(this.#prompts.value);
    const note = document.getElementById("prompts-sum");
    const path = this.#form.elements.namedItem("projectPath");
    if (request?.projectPath && path.value === "") path.value = request.projectPath;
    note.textContent = request === null ? (this.#prompts.value.trim() === "" ? "" : problem) : summary(request.promptsByStyle);
    this.showPlan(null);
  }

  #check(act) {
    this.#problems.clear();
    const { request, problem } = understand(this.#prompts.value);
    const path = this.#form.elements.namedItem("projectPath").value.trim();
    const errors = [];
    if (path === "") errors.push({ loc: ["body", "projectPath"], msg: "Say where its files shall lie." });
    if (request === null) errors.push({ loc: ["body", "promptsByStyle"], msg: problem });
    if (errors.length > 0) this.#problems.showErrors(errors);
    else act({ ...request, projectPath: path, redraw: this.#form.elements.namedItem("redraw").value });
  }
}

/** Return `{request, problem}`: what a text asks for, or why it is none. Styles with their beats may stand alone. */
export function understand(text) {
  const wrong = (problem) => ({ request: null, problem });
  if (text.trim() === "") return wrong("Choose a file with prompts, or paste them.");
  let read;
  try {
    read = JSON.parse(text);
  } catch (error) {
    return wrong(`This is not JSON: ${error.message}`);
  }
  const request = read?.promptsByStyle ? read : { promptsByStyle: read };
  const styles = request.promptsByStyle;
  const right = styles !== null && typeof styles === "object" && !Array.isArray(styles) && Object.values(styles).every(Array.isArray);
  return right ? { request, problem: "" } : wrong("It has to be an object with a list of beats for each style.");
}

/** Return where a problem is in the words of the prompts: the service tells of styles and beats by their places only. */
function named([body, name, style, beat, ...within], styles) {
  if (name !== "promptsByStyle" || beat === undefined) return [body, name, style].filter((part) => part !== undefined);
  const [called, beats] = Object.entries(styles)[style] ?? [style, []];
  return [body, name, called, `beat ${beats[beat]?.beat_number ?? beat + 1}`, ...within];
}

function summary(styles) {
  const counts = Object.entries(styles).map(([style, beats]) => `${style} ${beats.length}`);
  const all = Object.values(styles).reduce((sum, beats) => sum + beats.length, 0);
  return `${number(all, "beat")} in ${number(counts.length, "style")}: ${counts.join(", ")}.`;
}

function sentences({ draw, reuse, skip, cost, duration: time, bottleneck, slots, warnings }) {
  const parts = [draw > 0 && `${draw} to draw`, reuse > 0 && `${reuse} there already`, skip > 0 && `${skip} left out`];
  const told = [`${parts.filter(Boolean).join(", ") || "Nothing to draw"}.`];
  if (draw > 0) told.push(`${price(cost)} About ${duration(time.p50)}, ${duration(time.p90)} if it goes slowly.`);
  if (bottleneck?.key) told.push(`What decides is ${bottleneck.style}'s key ${bottleneck.key}: ${bottleneck.rpm} a minute.`);
  else if (bottleneck) told.push(`What decides is that ${slots.have} are drawn at once.`);
  return [...told, ...warnings];
}

const price = ({ low, high }) => (high === 0 ? "It costs nothing." : `Between ${dollars(low)} and ${dollars(high)}.`);
const number = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

function exampleBeat(words, index) {
  return { shot_number: Math.floor(index / 3) + 1, beat_number: `${Math.floor(index / 3) + 1}.${(index % 3) + 1}`, ai_prompt: words };
}
