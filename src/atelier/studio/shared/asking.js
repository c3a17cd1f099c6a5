/** What goes with every request that orders something: the page's script for the sandbox, and a key. */

/** Return the request with the scripts that the page's own address hands to the sandbox, by the names they have there. */
export function scripted(request, names = ["sandbox"]) {
  const query = new URLSearchParams(location.search);
  const length = query.has("seconds") ? { seconds: Number(query.get("seconds")) } : {};
  const scripts = names.filter((name) => query.has(name)).map((name) => [name, { scenario: query.get(name), ...length }]);
  return { ...request, ...Object.fromEntries(scripts) };
}

/** The same request sent again after a cut has the same key, so that it cannot order anything twice. */
export class Attempt {
  #body = "";
  #key = "";

  keyFor(request) {
    const body = JSON.stringify(request);
    if (this.#body !== body) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      this.#body = body;
      this.#key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return this.#key;
  }

  /** It was accepted: the same again is meant as another one. */
  done() {
    this.#body = "";
  }
}
