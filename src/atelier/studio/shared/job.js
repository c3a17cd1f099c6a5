/** What the page knows of one job. Pure: every function returns the next state, or the same one for old news. */

const ENDED = new Set(["completed", "failed", "cancelled"]);

export const ended = (job) => ENDED.has(job.status);

/** Return a job of which only the number and the words are known. */
export function newJob(id, title) {
  return {
    id, title, seq: 0, at: "", begunAt: null, warnings: [], maxAttempts: null, ...freshRun(),
  };
}

function freshRun() {
  return {
    status: "queued", stage: "queued", reached: "queued", progress: 0, message: "", step: null, totalSteps: null, part: null,
    previewUrl: null, reason: null, resumeAt: null, attempt: 0, startedAt: null, endedAt: null, remaining: null,
    result: null, error: null, cancellation: null,
  };
}

/** Apply one event of the stream. Numbers never go back, and what is known already changes nothing. */
export function withEvent(job, number, event) {
  const again = number === job.seq;
  if (number < job.seq || (again && (ended(job) || event.timestamp < job.at))) return job;
  const opens = event.stage === "queued" && !again;
  const run = opens ? { ...job, ...freshRun(), begunAt: event.timestamp } : job;
  const next = {
    ...run,
    seq: number,
    at: event.timestamp,
    status: event.status,
    stage: event.stage,
    reached: event.stage === "error" ? run.reached : event.stage,
    progress: Math.max(run.progress, event.progress),
    message: event.message,
    step: event.step ?? null,
    totalSteps: event.total_steps ?? null,
    part: event.part ?? null,
    previewUrl: event.preview_url ?? run.previewUrl,
    reason: event.state_reason ?? null,
    resumeAt: event.resume_at ?? null,
    attempt: event.attempt ?? run.attempt,
    maxAttempts: event.max_attempts ?? run.maxAttempts,
    startedAt: run.startedAt ?? (event.stage === "processing" ? event.timestamp : null),
  };
  return ended(next) ? withEnd(next, event) : { ...next, remaining: derived(next) ?? run.remaining };
}

function withEnd(job, event) {
  const { result = null, error = null, outcome = null, billed = null } = event.data;
  const cancellation = job.status === "cancelled" && outcome ? { outcome, billed } : null;
  return { ...job, result, error, cancellation, endedAt: event.timestamp, remaining: null };
}

function derived(job) {
  if (job.step === null || job.startedAt === null || job.progress <= 0) return null;
  const elapsed = (Date.parse(job.at) - Date.parse(job.startedAt)) / 1000;
  return { seconds: (elapsed * (100 - job.progress)) / job.progress, at: Date.parse(job.at) };
}

/** Apply the job as it was read. What is older than what the stream told is only used for its estimate. */
export function withView(job, view, now) {
  const remaining = view.estimated_time_remaining === null ? null : { seconds: view.estimated_time_remaining, at: now };
  if (view.seq < job.seq) return job;
  if (view.seq === job.seq && view.progress_percentage < job.progress) return { ...job, remaining };
  const begun = view.progress_updates.findLast((record) => record.stage === "queued");
  const last = view.progress_updates.findLast((record) => record.stage !== "error");
  const stage = view.current_stage === "pending" ? "queued" : view.current_stage;
  const sameRun = view.seq === job.seq || begun === undefined || begun.seq <= job.seq;
  return {
    ...job,
    title: view.title,
    seq: view.seq,
    at: view.progress_updates.at(-1)?.timestamp ?? job.at,
    begunAt: begun?.timestamp ?? job.begunAt ?? view.created_at,
    startedAt: view.started_at,
    endedAt: view.completed_at,
    status: view.status,
    stage,
    reached: stage === "error" ? (last?.stage ?? job.reached) : stage,
    progress: view.progress_percentage,
    message: view.message ?? job.message,
    step: view.step,
    totalSteps: view.total_steps,
    part: view.part ?? null,
    previewUrl: view.preview_url ?? (sameRun ? job.previewUrl : null),
    reason: view.state_reason,
    resumeAt: view.resume_at,
    attempt: view.attempt,
    maxAttempts: view.max_attempts,
    remaining,
    result: view.result,
    error: view.error_message,
    cancellation: view.cancellation,
    warnings: view.warnings,
  };
}
