/** The service's public API, as this page uses it. Addresses are relative: the page talks to where it came from. */

import { ask, header, present } from "./key.js";

const ROOT = "/api/v1/images";

/** What the server said no with, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? sentence(status));
    this.status = status;
    this.code = body?.code ?? null;
    this.errors = body?.errors ?? [];
    this.job = body?.job ?? null;
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

/** Call the service; where it wants a key, ask for one and call again. */
async function call(path, options = {}) {
  for (;;) {
    const key = present();
    const response = await send(path, { ...options, headers: { ...options.headers, ...header(key) } });
    if (response.ok) return response;
    const body = await response.json().catch(() => null);
    const problem = new Problem(response.status, body, Number(response.headers.get("retry-after")) || null);
    const again = problem.status === 401 && (await ask(key, options.method === "POST"));
    if (!again) throw problem;
  }
}

async function send(path, options) {
  try {
    const response = await fetch(ROOT + path, { cache: "no-store", ...options });
    readClock(response);
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, null, null);
  }
}

async function read(path, options) {
  const response = await call(path, options);
  return response.json();
}

/** Return the address and options of the request that makes a picture. */
export function generateRequest(request) {
  return { url: `${ROOT}/generate/stream`, body: JSON.stringify(request) };
}

/** Order a picture; the response's body is its stream. The key makes pressing the button again after a cut safe. */
export function generate(request, key) {
  return call("/generate/stream", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    body: generateRequest(request).body,
  });
}

const job = (id) => `/jobs/${encodeURIComponent(id)}`;

export const stream = (id, after, signal) => call(`${job(id)}/stream?after=${after}`, { signal });
export const readJob = (id, signal) => read(job(id), { signal });
export const listJobs = (limit) => read(`/jobs?limit=${limit}`);
export const cancelJob = (id) => read(`${job(id)}/cancel`, { method: "POST" });
export const retryJob = (id) => read(`${job(id)}/retry`, { method: "POST" });
