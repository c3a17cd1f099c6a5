/** The form of a picture: its choices, and what it asks for. */

import { element } from "../shared/elements.js";
import { Form } from "../shared/form.js";
import { Problems } from "../shared/problems.js";

const EXAMPLES = [
  "A city of towers on a rainy night, neon on wet streets",
  "A lone tree in the mist, mountains behind it",
  "A red planet with two moons over its dunes",
];
const RATIOS = ["1:1", "5:4", "4:5", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21"];
const QUALITIES = [
  ["draft", "Draft", "a quick sketch"],
  ["standard", "Standard", "for most purposes"],
  ["high", "High", "finer, takes longer"],
  ["ultra", "Ultra", "largest and slowest"],
];
const NAMES = {
  prompt: "Description", style: "Style", aspect_ratio: "Shape", quality: "Quality", seed: "Seed",
  negative_prompt: "Leave something out",
};
const LARGEST_SEED = 4_294_967_294;
const SVG = "http://www.w3.org/2000/svg";

/** The form; `submit(request)` is called with what the API shall get. */
export class PictureForm {
  #form = document.getElementById("commission");
  #problems = new Problems(this.#form, NAMES);
  #sending;

  constructor(submit) {
    this.#sending = new Form(this.#form, () => this.#check(submit));
    for (const text of EXAMPLES) this.#addExample(text);
    for (const ratio of RATIOS) addChoice("ratios", "aspect_ratio", ratio, ratio === "1:1", [shape(ratio), ratio]);
    for (const [value, name, meaning] of QUALITIES) {
      const words = [element("b", { text: name }), element("small", { text: meaning })];
      addChoice("qualities", "quality", value, value === "standard", words);
    }
    const surprise = () => this.useSeed(Math.floor(Math.random() * LARGEST_SEED));
    document.getElementById("surprise").addEventListener("click", surprise);
  }

  setBusy(busy) {
    this.#sending.setBusy(busy);
  }

  showProblem(problem) {
    this.#problems.show(problem);
  }

  /** Put a seed into its field. */
  useSeed(seed) {
    this.#put("seed", String(seed));
  }

  #check(submit) {
    this.#problems.clear();
    const request = this.#values();
    if (request.prompt !== "") submit(request);
    else this.#problems.showErrors([{ loc: ["body", "prompt"], msg: "Say in a few words what the picture shall show." }]);
  }

  /** Return the request; empty fields are left out. Whether its values are allowed is the server's to say. */
  #values() {
    const data = new FormData(this.#form);
    const request = { prompt: data.get("prompt") };
    for (const name of ["style", "aspect_ratio", "quality", "negative_prompt"]) {
      if (data.get(name)) request[name] = data.get(name);
    }
    const seed = data.get("seed").trim();
    if (seed !== "") request.seed = /^\d+$/.test(seed) ? Number(seed) : seed;
    return request;
  }

  #put(name, value) {
    const input = document.getElementById(name);
    input.value = value;
    this.#problems.clearField(name);
    input.focus();
  }

  #addExample(text) {
    const example = element("button", { text, type: "button" });
    example.addEventListener("click", () => this.#put("prompt", text));
    document.getElementById("examples").append(example);
  }
}

function addChoice(place, name, value, checked, content) {
  const input = element("input", { type: "radio" });
  Object.assign(input, { name, value, defaultChecked: checked });
  document.getElementById(place).append(element("label", {}, input, ...content));
}

function shape(ratio) {
  const [width, height] = ratio.split(":").map(Number);
  const scale = 22 / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  const svg = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const [key, number] of Object.entries({ x: 12 - w / 2, y: 12 - h / 2, width: w, height: h, rx: 1 })) {
    rect.setAttribute(key, String(number));
  }
  svg.append(rect);
  return svg;
}
