/** The grid: a sheet of tiles for each style, one tile for each beat, filled as pictures come. */

import { element } from "../shared/elements.js";

const WORDS = { pending: "waiting", generating: "being drawn", completed: "drawn", failed: "failed", cancelled: "cancelled" };

/** Up to so many beats there is room for larger tiles. */
const FEW = 48;

/** Tiles in their places; `choose(beat)` hears clicks. One tile of a style is in the tab order, arrows lead to the others. */
export class Tiles {
  #place;
  #choose;
  #shape = "";
  #tiles = new Map();

  constructor(place, choose) {
    this.#place = place;
    this.#choose = choose;
    place.addEventListener("keydown", (event) => this.#onKey(event));
    place.addEventListener("click", (event) => this.#onClick(event));
  }

  /** Show what changed; the whole where it is another storyboard or has other beats. */
  show(board, beats) {
    const shape = JSON.stringify([board.id, board.styles.map(({ name, beats: all }) => [name, ...all.keys()])]);
    if (shape !== this.#shape) this.#build(board);
    this.#shape = shape;
    const changed = beats ?? board.styles.flatMap(({ beats: all }) => [...all.values()]);
    for (const beat of changed) fill(this.#tiles.get(keyOf(beat)), beat);
  }

  /** Return the tile of a beat. */
  tile(beat) {
    return this.#tiles.get(keyOf(beat))?.button ?? null;
  }

  #build(board) {
    this.#tiles.clear();
    this.#place.replaceChildren(...board.styles.map((style) => this.#sheet(style)));
  }

  #sheet({ name, beats }) {
    const sheet = element("ul", { name: beats.size > FEW ? "tiles" : "tiles few", "data-style": name, "aria-label": `Beats of ${name}` });
    for (const beat of beats.values()) sheet.append(this.#add(beat));
    sheet.querySelector("button")?.setAttribute("tabindex", "0");
    return element("section", { name: "style" }, element("h3", { text: name }), sheet);
  }

  #add(beat) {
    const number = element("span", { name: "number", text: beat.beat_number });
    const button = element("button", { name: "tile", type: "button", tabindex: "-1" }, number);
    button.dataset.beat = beat.beat_number;
    this.#tiles.set(keyOf(beat), { button, shown: "" });
    return element("li", {}, button);
  }

  #onClick(event) {
    const button = event.target.closest(".tile");
    if (button) this.#choose(button.closest("[data-style]").dataset.style, button.dataset.beat);
  }

  #onKey(event) {
    const button = event.target.closest(".tile");
    if (!button || event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = [...button.closest(".tiles").querySelectorAll(".tile")];
    const next = neighbour(tiles, tiles.indexOf(button), event.key);
    if (next === null) return;
    event.preventDefault();
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

const keyOf = ({ style, beat_number: number }) => `${style}/${number}`;

/** Return the tile that a key leads to, or null for a key that leads nowhere. */
function neighbour(tiles, at, key) {
  const top = (tile) => tile.parentElement.offsetTop;
  const across = tiles.findIndex((tile) => top(tile) > top(tiles[0]));
  const columns = across < 0 ? tiles.length : across;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: tiles.length - 1 }[key];
  return to === undefined ? null : (tiles[to] ?? tiles[at]);
}

function fill(tile, beat) {
  const { status, thumbnail_url: url, shot_number: shot, beat_number: number, state_reason: reason } = beat;
  if (tile.button.dataset.status !== status) tile.button.dataset.status = status;
  const words = status === "pending" && reason ? reason.replaceAll("_", " ") : WORDS[status];
  tile.button.setAttribute("aria-label", `Shot ${shot}, beat ${number}: ${words}`);
  if (tile.shown === (url ?? "")) return;
  tile.shown = url ?? "";
  tile.button.querySelector("img")?.remove();
  if (url) tile.button.prepend(element("img", { src: url, alt: "", loading: "lazy", decoding: "async" }));
}
