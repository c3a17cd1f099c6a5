/**
 * Markdown as elements: the part of CommonMark that posts are written in, and tables.
 *
 * No text ever becomes markup: elements are made one by one, HTML in the text stays text, pictures are shown as links,
 * and links lead to the web, to mail, or to a heading of the text itself.
 */

import { element } from "./elements.js";

const DEEPEST = 8;
/** The page has two levels of headings above a post's. */
const SHIFT = 2;
const LONGEST_ANCHOR = 75;

const BLANK = /^\s*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}|\s*$)/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Return a fragment with the text's elements; headings carry their name in `data-anchor`. */
export function render(markdown) {
  const fragment = document.createDocumentFragment();
  addBlocks(fragment, markdown.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n"), 0);
  nameHeadings(fragment);
  return fragment;
}

function addBlocks(parent, lines, depth) {
  let at = 0;
  while (at < lines.length) {
    if (BLANK.test(lines[at])) at += 1;
    else at = addBlock(parent, lines, at, depth);
  }
}

/** Add the block that begins at this line; return the line behind it. */
function addBlock(parent, lines, at, depth) {
  const line = lines[at];
  if (FENCE.test(line)) return addCode(parent, lines, at);
  if (RULE.test(line) || HEADING.test(line)) {
    parent.append(RULE.test(line) ? element("hr") : heading(line));
    return at + 1;
  }
  if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) return addTable(parent, lines, at);
  if (depth < DEEPEST && QUOTE.test(line)) return addQuote(parent, lines, at, depth);
  if (depth < DEEPEST && ITEM.test(line)) return addList(parent, lines, at, depth);
  return addParagraph(parent, lines, at);
}

function addCode(parent, lines, at) {
  const [, fence] = FENCE.exec(lines[at]);
  const closes = (line) => line.trim().startsWith(fence) && line.trim().replaceAll(fence[0], "") === "";
  let end = at + 1;
  while (end < lines.length && !closes(lines[end])) end += 1;
  parent.append(element("pre", {}, element("code", { text: lines.slice(at + 1, end).join("\n") })));
  return end + 1;
}

function heading(line) {
  const [, marks, text = ""] = HEADING.exec(line);
  return addInline(element(`h${Math.min(marks.length + SHIFT, 6)}`, { tabindex: "-1" }), text);
}

function addQuote(parent, lines, at, depth) {
  let end = at;
  while (end < lines.length && !BLANK.test(lines[end]) && (QUOTE.test(lines[end]) || !beginsBlock(lines[end]))) end += 1;
  const quote = element("blockquote");
  addBlocks(quote, lines.slice(at, end).map((line) => line.replace(QUOTE, "")), depth + 1);
  parent.append(quote);
  return end;
}

function addList(parent, lines, at, depth) {
  const [, , mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const list = element(ordered ? "ol" : "ul");
  if (ordered && parseInt(mark, 10) !== 1) list.setAttribute("start", String(parseInt(mark, 10)));
  const continues = (line) => ITEM.test(line) && !RULE.test(line) && /\d/.test(ITEM.exec(line)[2]) === ordered;
  while (at < lines.length && continues(lines[at])) at = addItem(list, lines, at, depth);
  parent.append(list);
  return at;
}

/** Add an item with all that is indented below it; return the line behind it and behind blank lines before the next one. */
function addItem(list, lines, at, depth) {
  const indent = ITEM.exec(lines[at])[0].length;
  const body = [lines[at].slice(indent)];
  const within = (line) => BLANK.test(line) || line.search(/\S/) >= Math.min(indent, 2);
  let end = at + 1;
  while (end < lines.length && (within(lines[end]) || (!BLANK.test(lines[end - 1]) && !beginsBlock(lines[end])))) {
    body.push(lines[end].slice(Math.min(indent, Math.max(lines[end].search(/\S/), 0))));
    end += 1;
  }
  while (BLANK.test(body.at(-1))) body.pop();
  const item = element("li");
  // Where nothing is apart the item has no paragraphs: its words, then what begins below them.
  const apart = body.some((line) => BLANK.test(line)) || beginsBlock(body[0] ?? "");
  const inner = body.findIndex((line, number) => apart || (number > 0 && beginsBlock(line)));
  const words = inner < 0 ? body.length : inner;
  addInline(item, body.slice(0, words).join("\n"));
  addBlocks(item, body.slice(words), depth + 1);
  list.append(item);
  return end;
}

function addTable(parent, lines, at) {
  const row = (line, cell) => element("tr", {}, ...cells(line).map((text) => addInline(element(cell), text)));
  const body = element("tbody");
  let end = at + 2;
  for (; end < lines.length && lines[end].includes("|"); end += 1) body.append(row(lines[end], "td"));
  const table = element("table", {}, element("thead", {}, row(lines[at], "th")), body);
  parent.append(element("div", { name: "table", tabindex: "0", role: "group", "aria-label": "Table" }, table));
  return end;
}

const cells = (line) => line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function addParagraph(parent, lines, at) {
  let end = at + 1;
  while (end < lines.length && !BLANK.test(lines[end]) && !beginsBlock(lines[end])) end += 1;
  parent.append(addInline(element("p"), lines.slice(at, end).map((line) => line.trimStart()).join("\n")));
  return end;
}

const beginsBlock = (line) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(line));

const INLINE = new RegExp(
  [
    String.raw`\\(?<escaped>[!-/:-@[-\x60{-~])`,
    String.raw`(?<ticks>\x60+)(?<code>[^\x60].{0,2000}?)\k<ticks>(?!\x60)`,
    String.raw`(?<picture>!?)\[(?<label>(?:\\.|[^\[\]\\]){0,500})\]\(\s*<?(?<address>[^\s()<>]{1,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,500})?)>?(?:\s+["'][^"']{0,300}["'])?\s*\)`,
    String.raw`<(?<plain>https?:[^\s<>]{1,2000})>`,
    String.raw`\*\*(?=\S)(?<bold>.{0,2000}?\S)\*\*(?!\*)`,
    String.raw`(?<![\p{L}\p{N}_])__(?=\S)(?<heavy>.{0,2000}?\S)__(?![\p{L}\p{N}_])`,
    String.raw`\*(?=[^\s*])(?<starred>.{0,2000}?[^\s*])\*`,
    String.raw`(?<![\p{L}\p{N}_])_(?=[^\s_])(?<lined>.{0,2000}?[^\s_])_(?![\p{L}\p{N}_])`,
    String.raw`~~(?=\S)(?<struck>.{1,2000}?)~~`,
    String.raw`(?<lines> {2,}\n|\\\n)`,
    String.raw`&(?<entity>amp|lt|gt|quot|nbsp|#39|#x27);`,
  ].join("|"),
  "gsu",
);
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0", "#39": "'", "#x27": "'" };

/** Add a text's words, emphasis and links; return the parent. */
function addInline(parent, text, within = "") {
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    parent.append(text.slice(at, found.index), piece(found.groups, within));
    at = found.index + found[0].length;
  }
  parent.append(text.slice(at));
  return parent;
}

function piece(found, within) {
  const { escaped, code, address, plain, bold, heavy, starred, lined, struck, entity } = found;
  if (escaped !== undefined) return escaped;
  if (code !== undefined) return element("code", { text: code.replace(/^ (.*\S.*) $/s, "$1") });
  if (address !== undefined) return link(address, found.label || address, within);
  if (plain !== undefined) return link(plain, plain, within);
  if (bold !== undefined || heavy !== undefined) return addInline(element("strong"), bold ?? heavy, within);
  if (starred !== undefined || lined !== undefined) return addInline(element("em"), starred ?? lined, within);
  if (struck !== undefined) return addInline(element("s"), struck, within);
  return entity === undefined ? element("br") : ENTITIES[entity];
}

/** Return a link, or only its words where it leads somewhere else than the web, mail or a heading. */
function link(address, words, within) {
  const leads = leadsTo(address);
  if (leads === null || within === "link") return addInline(element("span"), words, "link");
  const aside = address.startsWith("#") ? { "data-to": decoded(address.slice(1)) } : { target: "_blank", rel: "noopener nofollow" };
  return addInline(element("a", { href: leads, ...aside }), words, "link");
}

/** Return an address as it may stand in a link; null for what may not. */
export function leadsTo(address) {
  if (/^#[^\s]*$/.test(address)) return address;
  const url = URL.parse ? URL.parse(address) : parsed(address);
  return url !== null && ["https:", "http:", "mailto:"].includes(url.protocol) ? url.href : null;
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Name each heading as the service names them, so that a table of contents finds them. */
function nameHeadings(fragment) {
  const taken = new Map();
  for (const heading of fragment.querySelectorAll("h3, h4, h5, h6")) {
    const name = anchor(heading.textContent) || "section";
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    heading.dataset.anchor = count === 1 ? name : `${name}-${count}`;
  }
}

function anchor(text) {
  const flat = text.toLowerCase().normalize("NFKD").replace(/[\p{M}'\u2019]/gu, "").normalize("NFC");
  const words = flat.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  let name = "";
  for (const word of words) {
    const longer = name ? `${name}-${word}` : word;
    if (longer.length > LONGEST_ANCHOR) break;
    name = longer;
  }
  return name || words.join("").slice(0, LONGEST_ANCHOR);
}
