/** Reading a list page by page, as far as people asked for. */

/** A list; `read(limit, cursor)` answers with `next_cursor`, null at its end; `more` is a button for the next page. */
export class Paged {
  #read;
  #limit;
  #more;
  #pages = 1;

  /** `further()` is called when the next page is asked for: it has to be read then. */
  constructor(read, limit, more, further) {
    this.#read = read;
    this.#limit = limit;
    this.#more = more;
    more.addEventListener("click", () => {
      this.#pages += 1;
      further();
    });
  }

  /** Return the pages asked for so far, as `entries(page)` finds what is in each. */
  async read(entries) {
    const all = [];
    let cursor = null;
    for (let page = 0; page < this.#pages && (page === 0 || cursor !== null); page += 1) {
      const answer = await this.#read(this.#limit, cursor);
      all.push(...entries(answer));
      cursor = answer.next_cursor;
    }
    this.#more.hidden = cursor === null;
    return all;
  }
}

/** Return the address of a page of a list; of the first one without a cursor. */
export function pageAt(root, limit, cursor) {
  return `${root}?${new URLSearchParams({ limit, ...(cursor !== null && { cursor }) })}`;
}
