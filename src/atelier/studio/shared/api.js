/** The service's public API, as this page uses it. Addresses are relative: the page talks to where it came from. */

import { ask, header, present } from "./key.js";
import { pageAt } from "./paged.js";

/** What the server said no with, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? sentence(status));
    this.status = status;
    this.code = body?.code ?? null;
    this.errors = body?.errors ?? [];
    this.job = body?.job ?? body?.story ?? null;
    this.retryAfter = retryAfter;
  }
}

function sentence(status) {
  return status === 0 ? "The service could not be reached." : `The service answered with an error (${status}).`;
}

let skew = 0;

/** Return the server's present time in milliseconds: a phone's clock may be minutes off. */
export function serverNow() {
  return Date.now() + skew;
}

function readClock(response) {
  const told = Date.parse(response.headers.get("date") ?? "");
  const difference = told + 500 - Date.now();
  if (!Number.isNaN(told)) skew = Math.abs(difference) > 3000 ? difference : 0;
}

/** Call the service; where it wants a key, ask for one and call again. `byHand`: people did this, and may be asked once more. */
export async function call(path, { byHand, ...options } = {}) {
  for (;;) {
    const key = present();
    const response = await send(path, { ...options, headers: { ...options.headers, ...header(key) } });
    if (response.ok) return response;
    const body = await response.json().catch(() => null);
    const problem = new Problem(response.status, body, Number(response.headers.get("retry-after")) || null);
    const again = problem.status === 401 && (await ask(key, byHand ?? options.method !== undefined));
    if (!again) throw problem;
  }
}

async function send(path, options) {
  try {
    const response = await fetch(path, { cache: "no-store", ...options });
    readClock(response);
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, null, null);
  }
}

/** Call the service and return the JSON it answers with. */
export async function read(path, options) {
  const response = await call(path, options);
  return response.json();
}

/** Return the options of a call that sends JSON. */
export function json(method, asked, headers = {}) {
  return { method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(asked) };
}

/**
 * Return a front door for jobs of one kind: what is ordered at `creation`, and everything that every job can do.
 *
 * `order` answers with a stream; its key makes pressing the button again after a cut safe.
 */
export function door(root, creation) {
  const own = (id) => `${root}/jobs/${encodeURIComponent(id)}`;
  const request = (asked) => ({ url: root + creation, body: JSON.stringify(asked) });
  return {
    request,
    order: (asked, key) => call(root + creation, json("POST", asked, { "Idempotency-Key": key })),
    stream: (id, after, signal) => call(`${own(id)}/stream?after=${after}`, { signal }),
    read: (id, signal, after = null) => read(after === null ? own(id) : `${own(id)}?after=${after}`, { signal }),
    list: (limit, cursor) => read(pageAt(`${root}/jobs`, limit, cursor)),
    cancel: (id) => read(`${own(id)}/cancel`, { method: "POST" }),
    retry: (id) => read(`${own(id)}/retry`, { method: "POST" }),
  };
}
