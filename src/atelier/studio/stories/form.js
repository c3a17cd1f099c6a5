/** The form of a story: its choices, and what it asks for. */

import { element } from "../shared/elements.js";
import { Form } from "../shared/form.js";
import { Problems } from "../shared/problems.js";
import { openSettings } from "../settings/panel.js";

const EXAMPLES = [
  ["A fox who has lost her key", "A2"],
  ["The lighthouse keeper's goose", "grade 3"],
  ["A night train through the mountains", "C1"],
];
const NAMES = { topic: "Topic", level: "Level", illustrated: "Illustrated story", image_count: "Scenes" };

/** The form; `submit(request)` is called with what the API shall get. */
export class StoryForm {
  #form = document.getElementById("story-commission");
  #problems = new Problems(this.#form, NAMES);
  #sending;

  constructor(submit) {
    this.#sending = new Form(this.#form, () => this.#check(submit));
    for (const [topic, level] of EXAMPLES) this.#addExample(topic, level);
    this.#field("illustrated").addEventListener("change", () => this.#showScenes());
    this.#field("image_count").addEventListener("input", () => this.#showScenes());
    this.#showScenes();
  }

  setBusy(busy) {
    this.#sending.setBusy(busy);
  }

  /** Say what was wrong; where nobody can paint or write, with the way to the keys. */
  showProblem(problem) {
    if (problem.code !== "provider_not_configured") return this.#problems.show(problem);
    const settings = element("button", { name: "plain", type: "button", text: "Open settings" });
    settings.addEventListener("click", () => openSettings());
    return this.#problems.show(problem, settings);
  }

  #check(submit) {
    this.#problems.clear();
    const request = this.#values();
    const missing = [];
    if (request.topic === "") missing.push({ loc: ["body", "topic"], msg: "Say in a few words what the story shall be about." });
    if (request.level === "") missing.push({ loc: ["body", "level"], msg: "Say how well its readers know the language." });
    if (missing.length === 0) submit(request);
    else this.#problems.showErrors(missing);
  }

  /** Return the request. Whether its values are allowed is the server's to say. */
  #values() {
    const illustrated = this.#field("illustrated").checked;
    const scenes = illustrated ? { image_count: Number(this.#field("image_count").value) } : {};
    return { content_type: "story", topic: this.#field("topic").value, level: this.#field("level").value, illustrated, ...scenes };
  }

  #showScenes() {
    const count = this.#field("image_count").value;
    document.getElementById("story-scenes").hidden = !this.#field("illustrated").checked;
    document.getElementById("story-count").textContent = `${count} ${count === "1" ? "scene" : "scenes"}`;
  }

  #field(name) {
    return this.#form.elements.namedItem(name);
  }

  #addExample(topic, level) {
    const example = element("button", { text: topic, type: "button" });
    example.addEventListener("click", () => {
      this.#put("level", level);
      this.#put("topic", topic).focus();
    });
    document.getElementById("story-examples").append(example);
  }

  #put(name, value) {
    const input = this.#field(name);
    input.value = value;
    this.#problems.clearField(name);
    return input;
  }
}
