/** Hearing one stream, whatever the network does to it. */

import { Problem } from "./api.js";
import { EventParser, readEvents } from "./sse.js";

/** The server pings every 15 s; a connection silent for this long is dead, whatever the system believes. */
const SILENCE = 40_000;
/** A browser has six connections for a server: a page nobody sees gives its stream back and reads now and then. */
const UNSEEN = 5000;

/**
 * Hear a stream to its end or its cut; return the pause in milliseconds that the server asked for, or null.
 *
 * `connect(signal)` opens it, `hear(event)` takes its events and returns whether that was all. Throws only for what is gone.
 */
export async function listen(connect, signal, hear) {
  const parser = new EventParser();
  const connection = new AbortController();
  const drop = () => connection.abort();
  signal.addEventListener("abort", drop);
  let unseen = null;
  const seen = () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(drop, UNSEEN);
  };
  document.addEventListener("visibilitychange", seen);
  seen();
  let silence = setTimeout(drop, SILENCE);
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(drop, SILENCE);
  };
  try {
    const open = await connect(connection.signal);
    if (open.status === 204) return null;
    for await (const event of readEvents(open.body, parser, connection.signal, alive)) {
      if (signal.aborted || hear(event)) return null;
    }
  } catch (error) {
    if (error instanceof Problem && error.status === 404) throw error;
  } finally {
    clearTimeout(silence);
    clearTimeout(unseen);
    signal.removeEventListener("abort", drop);
    document.removeEventListener("visibilitychange", seen);
  }
  return parser.retry;
}

/** Wait; the network's return or the page's ends the wait. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener("abort", finish, { signal: done.signal });
    window.addEventListener("online", finish, { signal: done.signal });
    document.addEventListener("visibilitychange", finish, { signal: done.signal });
  });
}
