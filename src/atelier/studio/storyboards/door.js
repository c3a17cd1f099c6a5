/** Where storyboards are ordered, kept and steered. */

import { call, json, read } from "../shared/api.js";
import { pageAt } from "../shared/paged.js";

const CREATION = "/api/generate-images";
const ROOT = "/api/v1/storyboards";

const own = (id, action = "") => `${ROOT}/${encodeURIComponent(id)}${action}`;
const beatOf = (style, beat) => `/beats/${encodeURIComponent(style)}/${encodeURIComponent(beat)}/redraw`;

/** Order a storyboard; return its number. It is drawn whether anybody listens or not. */
export async function order(asked, key) {
  const response = await call(CREATION, json("POST", asked, { "Idempotency-Key": key }));
  response.body.cancel().catch(() => {});
  return response.headers.get("x-job-id");
}

/** Return what an order would do. */
export const plan = (asked) => read(`${CREATION}?plan=true`, json("POST", asked));
export const list = (limit, cursor) => read(pageAt(ROOT, limit, cursor));
/** Return the whole grid. */
export const grid = (id, signal) => read(own(id), { signal });
/** Return how far it is, without the grid. */
export const standing = (path, signal) => read(`/api/generation-status/${encodeURIComponent(path)}`, { signal });
export const stream = (id, signal) => call(own(id, "/stream"), { signal });
/** Pause, resume, retry-failed or cancel; return the grid. */
export const steer = (id, action) => read(own(id, `/${action}`), { method: "POST" });
/** Draw one beat again, from another seed; return the grid. */
export const redraw = (id, style, beat, wishes) => read(own(id, beatOf(style, beat)), json("POST", wishes));
