/** The form of a post: its choices, and what it asks for. */

import { element } from "../shared/elements.js";
import { Form } from "../shared/form.js";
import { Problems } from "../shared/problems.js";

const EXAMPLES = [
  ["Growing tomatoes on a balcony", "balcony tomatoes, container gardening"],
  ["How to choose a bicycle for the city", "city bike, commuting"],
  ["Keeping a small database fast", "sqlite, indexes"],
];
const NAMES = {
  topic: "Topic", keywords: "Keywords", tone: "Tone", length: "Length", target_audience: "Readers",
  custom_instructions: "Wishes", sources: "Sources",
};

/** The form; `submit(request)` is called with what the API shall get. */
export class PostForm {
  #form = document.getElementById("post-commission");
  #problems = new Problems(this.#form, NAMES);
  #sending;

  constructor(submit) {
    this.#sending = new Form(this.#form, () => this.#check(submit));
    for (const [topic, keywords] of EXAMPLES) this.#addExample(topic, keywords);
  }

  setBusy(busy) {
    this.#sending.setBusy(busy);
  }

  showProblem(problem) {
    this.#problems.show(problem);
  }

  #check(submit) {
    this.#problems.clear();
    const request = this.#values();
    if (request.topic !== "") submit(request);
    else this.#problems.showErrors([{ loc: ["body", "topic"], msg: "Say in a few words what the post shall be about." }]);
  }

  /** Return the request; empty fields are left out. Whether its values are allowed is the server's to say. */
  #values() {
    const data = new FormData(this.#form);
    const request = { topic: data.get("topic") };
    for (const name of ["tone", "length", "target_audience", "custom_instructions"]) {
      if (data.get(name)) request[name] = data.get(name);
    }
    const lists = { keywords: data.get("keywords").split(/[,;\n]/), sources: data.get("sources").split(/\s+/) };
    for (const [name, entries] of Object.entries(lists)) {
      const said = entries.map((entry) => entry.trim()).filter(Boolean);
      if (said.length > 0) request[name] = said;
    }
    for (const { name, checked } of this.#form.querySelectorAll("[type=checkbox]")) if (!checked) request[name] = false;
    return request;
  }

  #addExample(topic, keywords) {
    const example = element("button", { text: topic, type: "button" });
    example.addEventListener("click", () => {
      this.#put("keywords", keywords);
      this.#put("topic", topic).focus();
    });
    document.getElementById("post-examples").append(example);
  }

  #put(name, value) {
    const input = this.#form.elements.namedItem(name);
    input.value = value;
    this.#problems.clearField(name);
    return input;
  }
}
