/** What the page knows of one picture: a job with a shape. Pure. */

import * as base from "../shared/job.js";

export const STAGES = ["queued", "processing", "generating", "uploading", "completed"];

export const newJob = (id, title) => ({ ...base.newJob(id, title), aspectRatio: null });
export const withEvent = base.withEvent;

export function withView(job, view, now) {
  const next = base.withView(job, view, now);
  return next === job ? job : { ...next, aspectRatio: view.aspect_ratio };
}
