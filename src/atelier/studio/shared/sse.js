/**
 * Server-sent events out of a fetch body. EventSource cannot POST, hence this.
 * Follows the WHATWG specification's parsing of an event stream.
 */

/** Turns bytes, cut anywhere, into events `{id, type, data}`. */
export class EventParser {
  lastId = "";
  retry = null;
  #decoder = new TextDecoder();
  #rest = "";
  #afterReturn = false;
  #data = [];
  #type = "";

  /** Take the next bytes; return the events they complete. */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    // A lone \r ended the line already: the \n of a pair that was cut in two is no line of its own.
    if (this.#afterReturn && text !== "") {
      if (text[0] === "\n") text = text.slice(1);
      this.#afterReturn = false;
    }
    if (text.endsWith("\r")) this.#afterReturn = true;
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#line(line)).filter((event) => event !== null);
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch() {
    const event = { id: this.lastId, type: this.#type || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#type = "";
    return empty ? null : event;
  }
}

/** Yield the events of a body until it ends or `signal` aborts; `onBytes` hears every sign of life, pings included. */
export async function* readEvents(body, parser, signal, onBytes) {
  const reader = body.getReader();
  const drop = () => reader.cancel().catch(() => {});
  signal.addEventListener("abort", drop);
  if (signal.aborted) drop();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      yield* parser.push(value);
    }
  } finally {
    signal.removeEventListener("abort", drop);
    drop();
  }
}
