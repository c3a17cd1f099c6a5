/** The job on the easel: stages, progress, times, verdict, facts and what can be done with it. */

import { generateRequest, serverNow } from "./api.js";
import { STAGES, ended } from "./job.js";
import { present } from "./key.js";
import { recall } from "./memory.js";
import * as picture from "./picture.js";
import { curl, duration, receipt, waiting } from "./words.js";

const TICK = 250;
const NAMES = STAGES.map((stage) => [stage, stage[0].toUpperCase() + stage.slice(1)]);
const part = (id) => document.getElementById(id);

let job = null;
let link = { state: "live" };
let announced = "";
const stages = NAMES.map(([stage, name]) => {
  const item = document.createElement("li");
  const state = document.createElement("span");
  state.className = "unseen";
  item.dataset.stage = stage;
  item.append(name, state);
  part("stages").append(item);
  return { item, state };
});

/** Wire the buttons; `actions` are called with the job. */
export function setUp(actions) {
  part("cancel").addEventListener("click", () => actions.cancel(job));
  part("retry").addEventListener("click", () => actions.retry(job));
  part("use-seed").addEventListener("click", () => actions.useSeed(job.result.images[0].seed));
  part("copy-curl").addEventListener("click", copyCurl);
  setInterval(tick, TICK);
}

/** Show this job as it is now, and how the connection to it does. */
export function show(next, connection) {
  if (job?.id !== next.id) open(next);
  else if (next.seq > job.seq && next.reached === "queued") picture.reset(shapeOf(next));
  job = next;
  link = connection;
  part("job-title").textContent = job.title;
  showStages();
  showProgress();
  showPicture();
  showVerdict();
  showFacts();
  showActions();
  tick();
  announce();
}

/** Say what went wrong with an action; empty takes it back. */
export function showActionProblem(text) {
  part("action-problem").textContent = text;
}

function open(next) {
  part("nothing").hidden = true;
  part("job").hidden = false;
  announced = "";
  showActionProblem("");
  picture.reset(shapeOf(next));
}

const shapeOf = (shown) => picture.ratioOf(shown.aspectRatio ?? recall(shown.id)?.aspect_ratio);

function showStages() {
  const at = STAGES.indexOf(job.reached);
  stages.forEach(({ item, state }, index) => {
    const done = index < at || job.status === "completed";
    const current = index === at && !done;
    item.className = done ? "done" : current ? (ended(job) ? "stopped" : "current") : "";
    state.textContent = done ? ", done" : current && ended(job) ? ", stopped here" : "";
    if (current && !ended(job)) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
}

function showProgress() {
  const percent = Math.floor(job.progress);
  part("running").classList.toggle("over", ended(job));
  part("running").classList.toggle("gone", link.state === "gone");
  part("progress").value = job.progress;
  part("progress").textContent = part("percent").textContent = `${percent} %`;
  const step = job.step === null ? "" : `step ${job.step}/${job.totalSteps}`;
  part("message").textContent = ended(job) ? "" : withStep(job.message, step);
}

/** Messages name their step themselves most of the time. */
const withStep = (message, step) => (step === "" || message.includes(step) ? message : `${message} · ${step}`);

function showPicture() {
  picture.setWorking(!ended(job) && link.state !== "gone");
  const made = job.result?.images[0];
  if (made) {
    picture.showPicture(made, () => showActionProblem("The picture is there, but it could not be loaded; try “Open”."));
  } else if (job.previewUrl && job.stage === "generating" && !ended(job)) {
    picture.showPreview(job.previewUrl, job.title);
  }
}

function showVerdict() {
  const verdict = { failed: job.error, cancelled: "This picture was cancelled." }[job.status] ?? "";
  fill("verdict", verdict);
  part("verdict").dataset.status = job.status;
  fill("receipt", job.cancellation ? receipt(job.cancellation) : "");
  part("warnings").hidden = job.warnings.length === 0;
  part("warnings").replaceChildren(...job.warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function showFacts() {
  const made = job.result?.images[0];
  part("facts").hidden = !made;
  if (!made) return;
  const facts = [
    ["Size", sizeOf(made)],
    ["Model", made.model ?? job.result.model],
    ["Seed", made.seed],
    ["Made in", `${job.result.generation_time_seconds.toFixed(1)} s`],
  ];
  part("facts").replaceChildren(...facts.filter(([, value]) => value != null).map(fact));
}

function sizeOf({ width, height, format, size_bytes: bytes }) {
  const pixels = `${width} × ${height} ${format.toUpperCase()}`;
  return bytes ? `${pixels}, ${Math.max(1, Math.round(bytes / 1000))} kB` : pixels;
}

function fact([name, value]) {
  const row = document.createElement("div");
  row.append(
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: String(value) }),
  );
  return row;
}

function showActions() {
  const made = job.result?.images[0];
  const focused = document.activeElement;
  part("cancel").hidden = ended(job) || link.state === "gone";
  part("cancel").setAttribute("aria-disabled", String(job.reason === "cancelling"));
  part("retry").hidden = !["failed", "cancelled"].includes(job.status);
  part("use-seed").hidden = made?.seed == null;
  part("copy-curl").hidden = recall(job.id) === null;
  for (const id of ["open", "download"]) {
    part(id).hidden = !made;
    if (made) part(id).href = made.image_url;
  }
  if (made) part("download").download = `${made.image_id}.${made.format}`;
  // The focused button may be gone now; the keyboard shall not fall back to the page's top.
  if (focused?.parentElement === part("actions") && focused.hidden) part("job-title").focus({ preventScroll: true });
}

/** Everything that changes with the clock alone. */
function tick() {
  if (job === null) return;
  const now = serverNow();
  fill("reason", ended(job) ? "" : waiting(job, now));
  const times = [];
  if (job.begunAt && job.status !== "completed") times.push(elapsed(now));
  if (!ended(job) && job.remaining && job.reason === null) times.push(left(now));
  if (job.attempt > 1 && job.reason === null) times.push(`attempt ${job.attempt} of ${job.maxAttempts}`);
  part("times").textContent = times.join(" · ");
  fill("link", connection());
}

function elapsed(now) {
  const end = job.endedAt === null ? now : Date.parse(job.endedAt);
  const span = duration((end - Date.parse(job.begunAt)) / 1000);
  return job.endedAt === null ? `${span} elapsed` : `Ended after ${span}`;
}

function left(now) {
  const seconds = job.remaining.seconds - (now - job.remaining.at) / 1000;
  if (seconds >= 1) return `about ${duration(seconds)} left`;
  return job.progress < 85 ? "taking longer than usual" : "any moment now";
}

function connection() {
  if (link.state === "gone") return `${link.sentence} It may have been removed.`;
  if (link.state !== "cut") return "";
  const seconds = Math.ceil((link.until - Date.now()) / 1000);
  return `The connection is cut; the job goes on. ${seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now."}`;
}

function fill(id, text) {
  // Writing the same text again would make some screen readers repeat it.
  if (part(id).textContent !== text) part(id).textContent = text;
  part(id).hidden = text === "";
}

/** Tell stages, waits and ends to screen readers, not every percent. */
function announce() {
  const state = [job.stage, job.reason, link.state].join();
  if (state === announced) return;
  announced = state;
  const [, stage] = NAMES.find(([name]) => name === job.stage) ?? ["", ""];
  const verdict = { completed: "The picture is finished.", failed: `It failed: ${job.error}`, cancelled: "It was cancelled." }[job.status];
  part("announcer").textContent = [verdict ?? stage, waiting(job, serverNow()), connection()].filter(Boolean).join(" ");
}

async function copyCurl() {
  const command = curl(location.origin, generateRequest(recall(job.id)), present() !== "");
  const copied = await copy(command);
  part("copy-curl").textContent = copied ? "Copied" : "Copying is not allowed here";
  part("announcer").textContent = part("copy-curl").textContent;
  setTimeout(() => (part("copy-curl").textContent = "Copy curl"), 2000);
}

/** The clipboard proper exists in secure contexts only; a studio in the local network is none. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    part("copy-curl").focus();
    return copied;
  }
}
