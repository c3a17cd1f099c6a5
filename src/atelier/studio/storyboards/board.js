/** What the page knows of one storyboard: its beats, what goes on, how fast. */

const SAID = { generating: "generating", complete: "completed", exists: "completed", error: "failed" };
const STATES = ["completed", "generating", "pending", "failed", "cancelled"];
/** The last so many pictures say how fast a style goes; fewer than the least say nothing. */
const PACE_OF = 24;
const PACE_LEAST = 2;

/** A storyboard; it changes by what is read (`take`, `note`) and by what the stream tells (`apply`). */
export class Board {
  /** Of each style when its last pictures came, in milliseconds. */
  #came = new Map();

  constructor(id) {
    this.id = id;
    this.path = null;
    this.styles = [];
  }

  /** Take the grid as it was read. */
  take(view) {
    const { storyboard_id: _, styles, ...standing } = view;
    this.note(standing);
    this.styles = styles.map(({ style, beats }) => ({ name: style, beats: new Map(beats.map((beat) => [String(beat.beat_number), { ...beat, style }])) }));
  }

  /** Take what is known of the whole: `status, paused, cost, resume_at, troubles, files, pools`. */
  note(view) {
    this.path = view.project_path ?? this.path;
    this.status = view.status;
    this.paused = view.paused;
    this.cost = view.cost;
    this.resumeAt = view.resume_at;
    this.troubles = view.troubles;
    this.files = view.files;
    this.pools = view.pools;
  }

  /** Apply an event of the stream; return the beat it is about, or null where it changes nothing. */
  apply(event, now) {
    const beat = event.type === "progress" ? this.beat(event.style, event.beat_number) : null;
    const status = SAID[event.status];
    if (!beat || (beat.status === status && beat.job_id === event.job_id)) return null;
    const { image_url = beat.image_url, thumbnail_url = beat.thumbnail_url, error = null, code = null } = event;
    Object.assign(beat, { status: code === "cancelled" ? "cancelled" : status, image_url, thumbnail_url, error, job_id: event.job_id });
    Object.assign(beat, { state_reason: null, resume_at: null });
    if (event.status === "complete") this.#count(event.style, now);
    return beat;
  }

  beat(style, number) {
    return this.styles.find(({ name }) => name === style)?.beats.get(String(number)) ?? null;
  }

  /** Return of one style, or of all, how many beats are in each state, and `total`. */
  counts(style = null) {
    const counts = Object.fromEntries([...STATES, "total"].map((state) => [state, 0]));
    for (const { name, beats } of this.styles) {
      if (style !== null && name !== style) continue;
      for (const { status } of beats.values()) {
        counts[status] += 1;
        counts.total += 1;
      }
    }
    return counts;
  }

  /** Whether a standing that was read counts the same as the beats that are known. */
  agrees({ styles }) {
    return this.styles.every(({ name }) => STATES.every((state) => styles[name]?.[state] === this.counts(name)[state]));
  }

  get ended() {
    return this.status !== undefined && this.status !== "processing";
  }

  /** Return the seconds until a style is done, from how its pictures came and else from what its keys allow; null: unknown. */
  left(style, now) {
    const { generating, pending } = this.counts(style);
    const remaining = generating + pending;
    const rate = this.#pace(style, now) ?? this.#allowed(style);
    return remaining === 0 || rate === null || this.paused ? null : remaining / rate;
  }

  #count(style, now) {
    this.#came.set(style, [...(this.#came.get(style) ?? []), now].slice(-PACE_OF));
  }

  /** Return pictures a second, as they came lately. */
  #pace(style, now) {
    const came = this.#came.get(style) ?? [];
    return came.length < PACE_LEAST ? null : ((came.length - 1) * 1000) / Math.max(now - came[0], 1);
  }

  #allowed(style) {
    const named = (name) => this.pools.find((pool) => pool.name === name);
    const minute = (named(style) ?? named("default"))?.per_minute ?? null;
    return minute === null ? null : minute / 60;
  }
}
