/** Where stories are ordered, kept, illustrated and mended. */

import { call, json, Problem, read } from "../shared/api.js";
import { pageAt } from "../shared/paged.js";
import { progressOf } from "./story.js";

const ROOT = "/api/ai/generated-content";

const own = (id, rest = "") => `${ROOT}/${encodeURIComponent(id)}/${rest}`;
const post = (path) => read(path, { method: "POST" });
const get = (id, signal) => read(own(id), { signal });

export const stories = {
  order: (asked, key) => call(`${ROOT}/`, json("POST", asked, { "Idempotency-Key": key })),
  read: get,
  /** Return how the pictures are getting on, who paints and how long it takes. */
  standing: (id, signal) => read(own(id, "images/status/"), { signal }),
  stream: (id, signal) => call(own(id, "images/stream/"), { signal }),
  list,
  cancel: (id) => post(own(id, "cancel/")),
  retry: (id) => post(own(id, "retry/")),
  repaint,
  remove: (id) => call(own(id), { method: "DELETE" }),
};

/** Return a page of stories as the lists of all tabs have them. */
async function list(limit, cursor) {
  const { results, next_cursor } = await read(pageAt(`${ROOT}/`, limit, cursor));
  return { jobs: results.map((view) => ({ ...view, title: view.title ?? view.topic, progress_percentage: progressOf(view) })), next_cursor };
}

/** Have the pictures of these scenes painted again; return the story. One that is painted already is left alone. */
async function repaint(id, numbers) {
  for (const number of numbers) {
    await post(own(id, `images/${number}/retry/`)).catch((problem) => {
      if (!(problem instanceof Problem) || problem.status !== 409) throw problem;
    });
  }
  return get(id);
}
