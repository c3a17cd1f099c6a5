/** What became of a post: scores with what they were seen from, citations, terms, what it took. */

import { element } from "../shared/elements.js";
import { dollars, duration } from "../shared/words.js";
import { leadsTo } from "../shared/markdown.js";
import { STAGES } from "./post.js";

const part = (name) => document.getElementById(`post-${name}`);

export class Outcome {
  #shown = null;

  show(post) {
    const result = post.result;
    if (result === this.#shown && result !== null) return;
    this.#shown = result;
    part("outcome").hidden = result === null;
    part("sources").hidden = (result?.citations ?? []).length === 0;
    part("more").hidden = result?.stage_results === undefined;
    if (result === null) return;
    showScores(result);
    showFacts(result);
    if (result.stage_results === undefined) return;
    showSources(result.citations);
    showSearch(result);
    showTaken(result.stage_results);
  }
}

function showScores(result) {
  const heads = [["Quality", result.quality_score], ["Readability", result.readability_score], ["Search engines", result.seo_score]];
  part("scores").replaceChildren(...heads.filter(([, score]) => score != null).map(dial));
  part("dimensions").replaceChildren(...(result.quality_dimensions ?? []).map(bar));
}

/** A score as a ring that is closed as far as the score goes. */
function dial([name, score]) {
  const ring = element("div", { name: "dial", ...meter(name, score) }, element("b", { text: String(Math.round(score)) }));
  ring.style.setProperty("--score", String(score));
  return element("div", { name: "score" }, ring, element("span", { text: name, "aria-hidden": "true" }));
}

/** One side of the quality as a bar, with what it was seen from. */
function bar({ name, score, evidence }) {
  const title = name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
  const line = element("div", { name: "bar", ...meter(title, score) });
  line.style.setProperty("--score", String(score));
  const head = element("p", { name: "dimension" }, element("span", { text: title }), element("b", { text: String(Math.round(score)) }));
  return element("li", {}, head, line, element("p", { name: "evidence", text: evidence }));
}

const meter = (name, score) => ({
  role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(score),
});

function showFacts(result) {
  const { words, reading_time: minutes } = result.content_metadata ?? result;
  const facts = [
    ["Words", words],
    ["To read", minutes && `${minutes} min`],
    ["Written in", result.generation_time != null && duration(result.generation_time)],
    ["Tokens", result.total_tokens?.toLocaleString("en")],
    ["Cost", result.total_cost != null && dollars(result.total_cost)],
  ];
  part("facts").replaceChildren(...facts.filter(([, value]) => value || value === 0).map(fact));
}

const fact = ([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: String(value) }));

/** Each source once, with the sentences that it stands for. */
function showSources(citations) {
  const sources = new Map();
  for (const { url, title, text } of citations) {
    const known = sources.get(url) ?? { title, texts: [] };
    sources.set(url, { ...known, texts: [...known.texts, text] });
  }
  part("citations").replaceChildren(...[...sources].map(source));
}

function source([url, { title, texts }]) {
  const leads = leadsTo(url);
  const link = leads === null ? element("span", { text: title }) : element("a", { text: title || url, href: leads, target: "_blank", rel: "noopener nofollow" });
  return element("li", {}, link, element("span", { name: "host", text: leads ? new URL(leads).host : "" }), ...texts.map((text) => element("q", { text })));
}

function showSearch({ meta_title: title, meta_description: description, semantic_keywords: terms }) {
  part("meta-title").textContent = title;
  part("meta-description").textContent = description;
  part("terms").replaceChildren(...terms.map(term));
}

const term = ({ term: text, before, after }) =>
  element("li", {}, text, element("span", { name: "count", text: after === before ? `${after}×` : `${before} → ${after}` }));

function showTaken(stages) {
  const rows = stages.map(({ stage, status, reason, provider, model, tokens, cost }) =>
    element(
      "tr", { name: status },
      element("th", { text: STAGES.get(stage) ?? stage, scope: "row" }),
      element("td", { text: status === "skipped" ? `Skipped: ${reason}` : [provider, model].filter(Boolean).join(" · ") }),
      element("td", { text: tokens ? tokens.toLocaleString("en") : "" }),
      element("td", { text: cost ? dollars(cost) : "" }),
    ),
  );
  part("taken").replaceChildren(...rows);
}
