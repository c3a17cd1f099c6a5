/**
 * The panel of provider keys of one's own. Its place is in the page itself, for every tab may lead to it.
 *
 * What is typed goes to the service and stays nowhere: fields are emptied once it is kept, and when the panel is closed.
 */

import { json, Problem, read } from "../shared/api.js";
import { element } from "../shared/elements.js";
import { Problems } from "../shared/problems.js";
import { advice } from "../shared/words.js";

const PATH = "/api/settings/image-keys";
/** What people call each key, and where it is had. */
const KEYS = {
  stable_horde_api_key: ["Stable Horde API Key", "https://stablehorde.net/register", "Free."],
  hugging_face_api_token: ["Hugging Face API Token", "https://huggingface.co/settings/tokens", "Faster."],
  stability_ai_api_key: ["Stability AI API Key", "https://platform.stability.ai/account/keys", ""],
  gemini_api_key: ["Gemini API Key", "https://aistudio.google.com/apikey", "For pictures and texts."],
  openai_api_key: ["OpenAI API Key", "https://platform.openai.com/api-keys", "For texts."],
  anthropic_api_key: ["Anthropic API Key", "https://platform.claude.com/settings/keys", "For texts."],
};

const part = (name) => document.getElementById(`settings-${name}`);

class Settings {
  #dialog = document.getElementById("settings");
  #form = part("form");
  #rows = new Map();
  /** Which fields there are is the service's to say; the problems' names change with them. */
  #names = {};
  #problems = new Problems(this.#form, this.#names);

  constructor() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (part("save").getAttribute("aria-disabled") !== "true") this.#save();
    });
    part("close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#empty());
  }

  /** Open the panel with what is set at present. */
  async open() {
    if (this.#dialog.open) return;
    this.#build({});
    this.#say("Looking which keys are set…");
    this.#dialog.showModal();
    await this.#ask({ byHand: true }, (standing) => {
      this.#build(standing);
      this.#say("");
      this.#form.querySelector("input")?.focus();
    });
  }

  async #save() {
    const given = [...this.#rows].map(([name, { input }]) => [name, input.value.trim()]).filter(([, key]) => key !== "");
    if (given.length === 0) return this.#say("Nothing to save: paste a key first. Empty fields leave things as they are.");
    await this.#change(Object.fromEntries(given), "Saved.");
  }

  async #remove(name) {
    await this.#change({ [name]: null }, `The ${titleOf(name)} was removed.`);
    this.#rows.get(name)?.input.focus();
  }

  async #change(asked, said) {
    await this.#ask(json("PUT", asked), (standing) => {
      for (const name of Object.keys(asked)) if (this.#rows.has(name)) this.#rows.get(name).input.value = "";
      for (const [name, set] of Object.entries(standing)) this.#mark(name, set);
      this.#say(said);
    });
  }

  /** Call the service; `take(standing)` gets which keys are set. */
  async #ask(options, take) {
    this.#problems.clear();
    this.#busy(true);
    try {
      take(await read(PATH, options));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#say("");
      const help = problem.status === 401 ? "Close this and press “Settings” again to bring one." : "";
      this.#problems.show(problem, element("p", { text: help }));
    } finally {
      this.#busy(false);
    }
  }

  #busy(busy) {
    part("save").setAttribute("aria-disabled", String(busy));
    part("save").hidden = this.#rows.size === 0;
  }

  #say(text) {
    part("said").textContent = text;
  }

  #empty() {
    for (const { input } of this.#rows.values()) input.value = "";
    this.#problems.clear();
  }

  #build(standing) {
    this.#rows.clear();
    const names = Object.keys(standing).sort((one, other) => orderOf(one) - orderOf(other));
    part("keys").replaceChildren(...names.map((name) => this.#row(name)));
    for (const name of Object.keys(this.#names)) delete this.#names[name];
    for (const name of names) this.#names[name] = titleOf(name);
    for (const name of names) this.#mark(name, standing[name]);
  }

  #row(name) {
    const [title, address, note] = KEYS[name] ?? [name, null, ""];
    const id = `settings-${name}`;
    const described = `${id}-standing ${id}-problem`;
    const row = {
      input: element("input", { id, type: "password", autocomplete: "off", spellcheck: "false", "aria-describedby": described }),
      standing: element("span", { name: "standing", id: `${id}-standing` }),
      remove: element("button", { name: "plain", type: "button", text: "Remove", "aria-label": `Remove the ${title}` }),
    };
    row.input.name = name;
    row.remove.addEventListener("click", () => this.#remove(name));
    this.#rows.set(name, row);
    const link = address && element("a", { href: address, target: "_blank", rel: "noopener", text: "Get a key", "aria-label": `Get a key: ${title}` });
    return element(
      "div", { name: "field", "data-field": name },
      element("label", { for: id, text: title }), row.standing,
      element("div", { name: "together" }, row.input, row.remove),
      element("p", { name: "hint", text: note ? `${note} ` : "" }, ...(link ? [link] : [])),
      element("p", { name: "problem", id: `${id}-problem` }),
    );
  }

  #mark(name, set) {
    const row = this.#rows.get(name);
    if (!row) return;
    row.standing.dataset.set = String(set);
    row.standing.textContent = set ? "set" : "not set";
    row.input.placeholder = set ? "paste another one to replace it" : "paste it here";
    row.remove.hidden = !set;
  }
}

const titleOf = (name) => KEYS[name]?.[0] ?? name;
const orderOf = (name) => (Object.keys(KEYS).indexOf(name) + 1) || Infinity;

const settings = new Settings();

/** Open the panel. */
export const openSettings = () => settings.open();
