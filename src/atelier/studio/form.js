/** The form: its choices, what it asks for, and what was wrong with that. */

import { advice, plainly } from "./words.js";

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

const form = document.getElementById("commission");
const summary = document.getElementById("problems");
const button = document.getElementById("generate");
const field = (name) => form.querySelector(`[data-field="${name}"]`);

/** Prepare the form; `submit(request)` is called with what the API shall get. */
export function setUp(submit) {
  for (const text of EXAMPLES) addExample(text);
  for (const ratio of RATIOS) addChoice("ratios", "aspect_ratio", ratio, ratio === "1:1", [shape(ratio), ratio]);
  for (const [value, name, meaning] of QUALITIES) {
    addChoice("qualities", "quality", value, value === "standard", [element("b", name), element("small", meaning)]);
  }
  document.getElementById("meta-key").textContent = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
  document.getElementById("surprise").addEventListener("click", () => useSeed(Math.floor(Math.random() * LARGEST_SEED)));
  form.addEventListener("input", (event) => clearField(event.target.closest("[data-field]")?.dataset.field));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") !== "true") check(submit);
  });
}

function check(submit) {
  clear();
  const request = values();
  if (request.prompt === "") {
    showErrors([{ loc: ["body", "prompt"], msg: "Say in a few words what the picture shall show." }]);
  } else {
    submit(request);
  }
}

/** Return the request; empty fields are left out. Whether its values are allowed is the server's to say. */
function values() {
  const data = new FormData(form);
  const request = { prompt: data.get("prompt") };
  for (const name of ["style", "aspect_ratio", "quality", "negative_prompt"]) {
    if (data.get(name)) request[name] = data.get(name);
  }
  const seed = data.get("seed").trim();
  if (seed !== "") request.seed = /^\d+$/.test(seed) ? Number(seed) : seed;
  return request;
}

/** Show that a request is under way; the button keeps its place in the tab order. */
export function setBusy(busy) {
  button.setAttribute("aria-disabled", String(busy));
  button.textContent = busy ? "Sending…" : "Make the picture";
}

/** Put a seed into its field. */
export function useSeed(seed) {
  const input = document.getElementById("seed");
  input.value = String(seed);
  clearField("seed");
  input.focus();
}

/** Say what was wrong: at the fields, and in the summary. */
export function showProblem(problem) {
  if (problem.errors.length > 0) {
    showErrors(problem.errors);
    return;
  }
  summary.replaceChildren(element("p", problem.message), element("p", advice(problem)));
  summary.hidden = false;
  summary.focus();
}

function showErrors(errors) {
  const list = element("ul");
  for (const { loc, msg } of errors) {
    const name = loc[1];
    const known = name in NAMES;
    const item = element("li");
    item.append(known ? fieldLink(name, msg) : `${loc.slice(1).join(".")}: ${plainly(msg)}`);
    list.append(item);
    if (known) markField(name, plainly(msg));
  }
  const count = errors.length === 1 ? "One thing needs another look:" : `${errors.length} things need another look:`;
  summary.replaceChildren(element("p", count), list);
  summary.hidden = false;
  (form.querySelector("[aria-invalid]") ?? summary).focus();
}

function fieldLink(name, msg) {
  const link = element("a", `${NAMES[name]}: ${plainly(msg)}`);
  link.href = `#${name}`;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    control(name).focus();
  });
  return link;
}

const control = (name) => field(name).querySelector(`[name="${name}"]`);

function markField(name, sentence) {
  if (field(name) instanceof HTMLDetailsElement) field(name).open = true;
  control(name).setAttribute("aria-invalid", "true");
  field(name).querySelector(".problem").textContent = sentence;
}

function clearField(name) {
  if (!name) return;
  control(name).removeAttribute("aria-invalid");
  field(name).querySelector(".problem").textContent = "";
}

function clear() {
  Object.keys(NAMES).forEach(clearField);
  summary.hidden = true;
  summary.replaceChildren();
}

function addExample(text) {
  const example = element("button", text);
  example.type = "button";
  example.addEventListener("click", () => {
    const prompt = control("prompt");
    prompt.value = text;
    clearField("prompt");
    prompt.focus();
  });
  document.getElementById("examples").append(example);
}

function addChoice(place, name, value, checked, content) {
  const input = element("input");
  Object.assign(input, { type: "radio", name, value });
  input.defaultChecked = checked;
  const label = element("label");
  label.append(input, ...content);
  document.getElementById(place).append(label);
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

function element(tag, text = "") {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  return made;
}
