/** What the page knows of one post: a job, and the records of its log. Pure. */

import * as base from "../shared/job.js";

/** The stages of a post, in order, as people call them. */
export const STAGES = new Map([
  ["initialization", "Getting ready"],
  ["keyword_analysis", "Keywords"],
  ["competitor_analysis", "What others wrote"],
  ["intent_analysis", "What readers look for"],
  ["length_optimization", "Length"],
  ["research_outline", "Research and outline"],
  ["draft_generation", "Draft"],
  ["enhancement", "Facts and improvements"],
  ["seo_polish", "Title and headings"],
  ["semantic_integration", "Related terms"],
  ["quality_scoring", "Scores"],
  ["citation_generation", "Citations"],
  ["finalization", "Finishing"],
]);

export const newJob = (id, title) => ({ ...base.newJob(id, title), records: [] });

export function withEvent(post, number, event) {
  const next = base.withEvent(post, number, event);
  // What is sent between two records has the number of the one before.
  if (next === post || number <= post.seq) return next;
  const { stage, status, message, data } = event;
  return { ...next, records: merged(post.records, [{ seq: number, stage, status, message, data }]) };
}

export function withView(post, view, now) {
  const next = base.withView(post, view, now);
  return withRecords(next, view);
}

/** Take from a view that is older than what the stream told meanwhile what does not age: its records, with their texts. */
export const withOldView = (post, view) => withRecords(post, view);

function withRecords(post, view) {
  const read = view.progress_updates.map(({ seq, stage, status, message, metadata }) => ({ seq, stage, status, message, data: metadata }));
  return read.length === 0 ? post : { ...post, records: merged(post.records, read) };
}

/** Return the records in order, those that were read instead of those that the stream told shortened. */
function merged(records, news) {
  const all = new Map(records.map((record) => [record.seq, record]));
  for (const record of news) all.set(record.seq, { ...all.get(record.seq), ...record });
  return [...all.values()].sort((one, other) => one.seq - other.seq);
}

/** Return the number up to which every record is known with its text. */
export function known(post) {
  let last = 0;
  for (const record of post.records) {
    if (record.seq !== last + 1 || isShort(record)) break;
    last = record.seq;
  }
  return last;
}

/** Whether a text is missing that the service has. */
export const lacks = (post) => post.records.some(isShort);

/** A stream leaves a section's text out. */
const isShort = ({ data }) => data.section !== undefined && data.section.markdown === undefined;

/** Return `{stage, name, state, found, why, figures}` of each stage; `state` is todo, current, stopped, done or skipped. */
export function stagesOf(post) {
  const names = [...STAGES.keys()];
  const at = names.indexOf(post.reached);
  return names.map((stage, index) => {
    const records = post.records.filter((record) => record.stage === stage);
    const last = records.findLast(({ data }) => Object.keys(data).length > 0) ?? null;
    const skipped = last?.data.skipped ?? null;
    return { stage, name: STAGES.get(stage), ...found(last, skipped), state: stateOf(post, index, at, skipped) };
  });
}

function stateOf(post, index, at, skipped) {
  const reached = index < at || post.status === "completed";
  if (skipped !== null && (reached || index === at)) return "skipped";
  if (reached) return "done";
  if (index !== at) return "todo";
  return base.ended(post) ? "stopped" : "current";
}

/** What a record tells of its own making. */
const ASIDE = new Set(["key", "section", "evidence", "reason"]);

function found(last, skipped) {
  if (skipped !== null) return { found: `Skipped: ${skipped}`, why: "", figures: [] };
  const { message = "", data = {} } = last ?? {};
  const why = data.evidence ?? data.reason ?? "";
  const news = ([name, value]) => !ASIDE.has(name) && Boolean(value) && !`${message} ${why}`.includes(String(value));
  return { found: message, why, figures: Object.entries(data).filter(news) };
}

/** Return what goes on, in the words of the last record; while it waits, why. */
export function sentence(post) {
  const told = post.records.findLast(({ stage }) => stage === post.stage);
  return post.reason === null ? (told?.message ?? post.message) : post.message;
}

/** Return the sections that are written, in order: `{number, title, words, markdown}`; `markdown` is missing while only the stream told of it. */
export function sectionsOf(post) {
  const sections = new Map();
  for (const { data } of post.records) if (data.section) sections.set(data.section.number, data.section);
  return [...sections.values()].sort((one, other) => one.number - other.number);
}
