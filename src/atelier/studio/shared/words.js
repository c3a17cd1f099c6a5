/** What the page says: states, receipts, problems and times in plain words. */

const REASONS = {
  waiting_for_slot: "Every place is taken; it begins as soon as one is free.",
  waiting_for_key: "Every key of the provider is resting; it goes on as soon as one is back.",
  rate_limited: "The provider takes no more requests for the moment.",
  provider_queued: "It stands in the provider's own queue.",
  retrying: "The last attempt did not work out.",
  storing: "It is made and waits to be stored.",
  cancelling: "Cancelling: asking the provider to stop.",
  paused: "Paused.",
  waiting_until: "Scheduled for later.",
};

const OUTCOMES = {
  dequeued: "It had not begun, and was taken out of the queue.",
  aborted_before_send: "It was stopped before anything was ordered.",
  confirmed_by_provider: "The provider confirmed that it stopped.",
  provider_cannot_cancel: "The provider cannot stop what it has begun; what it still sends is thrown away.",
  too_late: "It was finished already, and was thrown away.",
  unknown: "Nobody could confirm in time whether the work stopped.",
};

const BILLED = {
  no: "Nothing was charged.",
  yes: "The work done was charged.",
  unknown: "Whether it was charged is not known.",
};

const STATUSES = {
  pending: "Waiting", queued: "Waiting", processing: "In work",
  completed: "Finished", failed: "Failed", cancelled: "Cancelled",
};

export const statusWord = (status) => STATUSES[status] ?? status;

/** Return why the job waits and when it goes on; empty when it does not wait. `reasons` says some in a kind's own words. */
export function waiting(job, now, reasons = {}) {
  if (job.reason === null) return "";
  const parts = [reasons[job.reason] ?? REASONS[job.reason] ?? `Waiting (${job.reason.replaceAll("_", " ")}).`];
  const left = job.resumeAt === null ? null : Math.ceil((Date.parse(job.resumeAt) - now) / 1000);
  const tries = ["rate_limited", "retrying"].includes(job.reason);
  if (tries && job.maxAttempts) {
    const attempt = `Attempt ${job.attempt + 1} of ${job.maxAttempts}`;
    parts.push(left > 0 ? `${attempt} in ${duration(left)}.` : `${attempt} begins now.`);
  } else if (left !== null) {
    parts.push(left > 0 ? `It begins in ${duration(left)}.` : "It begins now.");
  }
  return parts.join(" ");
}

/** Return what a cancel came to; `outcomes` says some in a kind's own words. */
export function receipt({ outcome, billed }, outcomes = {}) {
  return `${outcomes[outcome] ?? OUTCOMES[outcome] ?? outcome} ${BILLED[billed] ?? ""}`.trim();
}

/** Return a span of seconds as people say it. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** Return how long ago a moment was. */
export function ago(moment, now) {
  const seconds = (now - Date.parse(moment)) / 1000;
  if (seconds < 50) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(moment).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

const VENDORS = {
  stable_horde: "Stable Horde", hugging_face: "Hugging Face", stability_ai: "Stability AI", gemini: "Gemini", openai: "OpenAI",
  anthropic: "Anthropic", diffusers: "this machine", sandbox: "the sandbox",
};

/** Return what people call a provider. */
export const vendor = (name) => VENDORS[name] ?? name.replaceAll("_", " ");

/** Return US dollars as people read them: cents where there are some, more digits where there are none. */
export function dollars(amount) {
  if (amount === 0) return "nothing";
  return `$${amount < 0.01 ? amount.toPrecision(2) : amount.toFixed(2)}`;
}

/** Return what to do about a problem that is not about a field. */
export function advice(problem) {
  if (problem.status === 501) return "";
  if (problem.status === 0) {
    return "Check the connection and press the button again; your words are kept. Had it been accepted after all, it is among the recent ones.";
  }
  if (problem.status === 503 || problem.status === 429) {
    const pause = problem.retryAfter ? `in ${duration(problem.retryAfter)}` : "in a moment";
    return `Press the button again ${pause}; your words are kept.`;
  }
  if (problem.status === 413) return "Shorten what you wrote and try again.";
  return problem.status >= 500 ? "Press the button again; your words are kept." : "";
}

/** A title's characters; the service cuts its titles at the same place. */
const LONGEST_TITLE = 125;

/** Return a text as a title: in one line, cut between words where it is long. */
export function titled(text) {
  const all = [...text.trim().replace(/\s+/g, " ")];
  if (all.length <= LONGEST_TITLE) return all.join("");
  const cut = all.slice(0, LONGEST_TITLE - 1).join("");
  return `${cut.includes(" ") ? cut.slice(0, cut.lastIndexOf(" ")) : cut}…`;
}

/** Return a validator's sentence without its jargon. */
export function plainly(sentence) {
  const text = sentence.replace(/^Value error, /, "").replace(/^(Input|String) should/, "It should");
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** Return the shell command that makes the same request; a key stands in it as a variable of the shell. */
export function curl(origin, { url, body }, withKey) {
  const quoted = body.replaceAll("'", "'\\''");
  const key = withKey ? ' -H "Authorization: Bearer $ATELIER_KEY"' : "";
  return `curl -N '${origin}${url}'${key} -H 'Content-Type: application/json' -d '${quoted}'`;
}
