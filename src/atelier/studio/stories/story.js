/** What the page knows of one story: a job with scenes and their pictures. Pure: every function returns the next state. */

import * as base from "../shared/job.js";

/** Return a story of which only the number and the topic are known. */
export function newJob(id, title) {
  return { ...base.newJob(id, title), level: "", scenes: [], images: [], text: null, provider: null, overdue: false, written: 0 };
}

/** Return how much of a story is there, in percent: the text counts as much as a picture does. */
export function progressOf({ progress_percentage: written, images }) {
  const painted = images.map(({ status, progress }) => (status === "completed" ? 100 : (progress ?? 0)));
  return [written, ...painted].reduce((sum, each) => sum + each, 0) / (1 + images.length);
}

/** Return how many pictures there are, are painted, wait, and failed. */
export function countsOf({ images }) {
  const count = (status) => images.filter((image) => image.status === status).length;
  return { total: images.length, completed: count("completed"), generating: count("generating"), pending: count("pending"), failed: count("failed") };
}

/** Return the scenes whose pictures failed and can be painted again. */
export const repaintable = ({ images }) => images.filter(({ status, job_id: job }) => status === "failed" && job !== null).map((image) => image.event_number);

/** Whether the text is there, and has not been read yet. */
export const lacks = (story) => story.overdue && story.scenes.length === 0;

/** Apply the story as it was read. */
export function withView(story, view, now) {
  const images = kept(story.images, view.images);
  const told = view.scenes.length > 0;
  const failed = view.status === "failed";
  const running = view.status === "pending" ? "queued" : told ? "painting" : "writing";
  const stage = base.ended(view) ? view.status : running;
  return counted({
    ...story,
    title: view.title ?? view.topic,
    level: view.level,
    status: view.status,
    stage,
    written: view.progress_percentage,
    message: view.message,
    begunAt: base.ended(view) ? null : view.created_at,
    remaining: view.eta && !told ? { seconds: view.eta.p50, at: now } : stage === story.stage ? story.remaining : null,
    error: failed ? (view.error_message ?? view.message) : null,
    warnings: view.warnings,
    scenes: told ? view.scenes : story.scenes,
    text: view.text ?? story.text,
    images,
  });
}

/** Apply the text of a story that was read while news came: what is known of its pictures is newer. */
export function withText(story, view, now) {
  return withView(story, { ...view, status: story.status, images: story.images.length > 0 ? story.images : view.images }, now);
}

/** Apply how the pictures were read to be; `fresh`: nothing was heard meanwhile that is newer. */
export function withStanding(story, view, now, fresh) {
  const seconds = view.estimated_time_remaining;
  const next = { ...story, provider: view.current_provider, remaining: seconds === null ? null : { seconds, at: now } };
  return fresh ? counted({ ...next, message: view.message, images: kept(story.images, view.images) }) : next;
}

/** Apply one event of the stream. */
export function withEvent(story, event) {
  if (event.type === "text") return withWriting(story, event);
  if (event.type !== "image" || story.images.length < event.event_number) return story;
  const images = story.images.with(event.event_number - 1, { ...story.images[event.event_number - 1], ...event });
  return counted({ ...story, images, overdue: true });
}

function withWriting(story, { stage: told, status, progress, message }) {
  const stage = story.scenes.length > 0 ? story.stage : told === "queued" ? "queued" : "writing";
  const written = Math.max(story.written, progress);
  return counted({ ...story, status, written, message, stage, overdue: told === "illustrating" });
}

/** Views do not tell how far a picture is; what the stream told of the same one holds. */
function kept(before, images) {
  return images.map((image, index) => {
    const known = before[index];
    const same = known?.job_id === image.job_id && known.status === image.status;
    return { ...image, progress: same ? (known.progress ?? 0) : 0 };
  });
}

function counted(story) {
  const { total, completed, failed } = countsOf(story);
  const progress = progressOf({ progress_percentage: story.written, images: story.images });
  const at = Math.min(completed + failed + 1, total);
  const message = story.stage === "painting" && total > 0 ? `Generating image ${at}/${total}...` : story.message;
  return { ...story, progress, message };
}
