/**
 * Wires the page: the form orders, the watcher follows, the view shows, the list remembers.
 *
 * `/?sandbox=slow&seconds=4` hands a script to the sandbox provider with every request of this page, for trying out
 * and for tests: any scenario of the API's `sandbox.scenario`; `seconds` is optional.
 */

import { cancelJob, generate, readJob, retryJob, serverNow } from "./api.js";
import * as form from "./form.js";
import { ended, newJob, withView } from "./job.js";
import * as view from "./job-view.js";
import { remember } from "./memory.js";
import { Recent } from "./recent.js";
import { Watcher } from "./watch.js";

const HASH = /^#job=([\w-]+)$/;
const watcher = new Watcher(show);
const recent = new Recent((id) => choose(id));
let chosen = null;
let shownState = "";
let attempt = { body: "", key: "" };

function show(job, link) {
  view.show(job, link);
  recent.follow(job);
  document.title = titleOf(job);
  const state = `${job.id} ${ended(job)}`;
  if (state !== shownState) recent.refresh();
  shownState = state;
}

function titleOf(job) {
  if (!ended(job)) return `${Math.floor(job.progress)} % ${job.stage} · atelier`;
  return `${{ completed: "Finished", failed: "Failed", cancelled: "Cancelled" }[job.status]} · atelier`;
}

/** Put a job on the easel. */
function put(job, response) {
  chosen = job.id;
  recent.setCurrent(job.id);
  if (location.hash !== `#job=${job.id}`) location.hash = `job=${job.id}`;
  watcher.start(job, response);
}

async function submit(request) {
  form.setBusy(true);
  const asked = { ...request, ...sandbox() };
  try {
    const response = await generate(asked, keyFor(asked));
    attempt = { body: "", key: "" };
    const id = response.headers.get("x-job-id");
    remember(id, asked);
    put(newJob(id, request.prompt.trim().replace(/\s+/g, " ").slice(0, 125)), response);
    bringIntoView();
  } catch (problem) {
    form.showProblem(problem);
    recent.refresh();
  } finally {
    form.setBusy(false);
  }
}

/** The same request sent again after a cut has the same key, so that it cannot become two pictures. */
function keyFor(request) {
  const body = JSON.stringify(request);
  if (attempt.body !== body) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    attempt = { body, key: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  }
  return attempt.key;
}

function sandbox() {
  const query = new URLSearchParams(location.search);
  const scenario = query.get("sandbox");
  if (scenario === null) return {};
  return { sandbox: { scenario, ...(query.has("seconds") && { seconds: Number(query.get("seconds")) }) } };
}

async function choose(id) {
  chosen = id;
  try {
    const found = await readJob(id);
    if (chosen === id) put(withView(newJob(id, found.title), found, serverNow()));
  } catch {
    // The watcher tells what is wrong, and goes on trying where that helps.
    if (chosen === id) put(newJob(id, recent.views.find((known) => known.job_id === id)?.title ?? "A picture"));
  }
  bringIntoView();
}

/** Scroll to the easel where its frame is not in sight: on a phone it is below the form. */
function bringIntoView() {
  const { top, bottom } = document.getElementById("frame").getBoundingClientRect();
  if (top >= 0 && bottom <= window.innerHeight) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.getElementById("easel").scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

async function act(action, job, learn) {
  view.showActionProblem("");
  try {
    learn(await action(job.id));
  } catch (problem) {
    if (problem.job) learn(problem.job);
    else view.showActionProblem(problem.message);
  }
}

function fromHash() {
  const id = HASH.exec(location.hash)?.[1];
  if (id && id !== chosen) choose(id);
}

form.setUp(submit);
view.setUp({
  cancel: (job) => act(cancelJob, job, (told) => watcher.learn(told)),
  retry: (job) => act(retryJob, job, (told) => put(withView(job, told, serverNow()))),
  useSeed: form.useSeed,
});
window.addEventListener("hashchange", fromHash);
fromHash();
await recent.refresh();
if (chosen === null && recent.running()) choose(recent.running().job_id);
