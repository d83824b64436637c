// The patterns whose very first error is in the span, however rare they are: a button of the table of patterns shows them.

import { say } from "./announce.js";
import { NoAnswer, Refusal, aged, ask, query } from "./api.js";
import { many } from "./spell.js";
import * as stateNews from "./state_news.js";

const PAGE = 1000, MOST_PAGES = 5; // of the most frequent patterns, among which the new ones are looked for
const EVERY_MS = 20_000, MAX_AGE = 20; // seconds

// Whether a pattern is new in a span that begins at `since`, in milliseconds.
export function isNew({ ever_first_seen: first }, since) {
  return first != null && Date.parse(first) >= since;
}

export class NewPatterns {
  // `redraw()` is called when there are other rows.
  constructor(state, redraw) {
    Object.assign(this, { state, redraw, on: false, found: null, none: "", place: "", at: -Infinity, asked: 0, asks: false, pressed: false });
  }

  toggle() {
    this.on = !this.on;
    Object.assign(this, { found: null, place: "", at: -Infinity, pressed: this.on });
    this.redraw();
  }

  // The rows to show, the newest pattern first; `none` says why there are none. `top` are the most frequent patterns, which are known
  // already; the others are fetched where that was not done just now, one request at a time for the same span and filters.
  rows(top, since) {
    const place = String(query(this.state));
    if (place !== this.place) Object.assign(this, { found: null, none: "looking for new patterns…", pressed: this.pressed && !this.place });
    if (place !== this.place || (!this.asks && performance.now() - this.at > EVERY_MS)) this.fetch(place, since);
    if (this.found) stateNews.apply({ error_patterns: { top_patterns: this.found }, worker_errors: { worker_stats: [] } });
    return (this.found ?? top).filter((row) => isNew(row, since)).sort((a, b) => Date.parse(b.ever_first_seen) - Date.parse(a.ever_first_seen));
  }

  async fetch(place, since) {
    const isAgain = place === this.place, mine = ++this.asked;
    Object.assign(this, { place, at: performance.now(), asks: true });
    try {
      const found = [];
      let cursor = null;
      for (let page = 0; page < MOST_PAGES && (cursor || !page); page++) {
        const { patterns, next_cursor: next } = await ask(`/api/patterns?limit=${PAGE}&${place}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, aged(isAgain ? MAX_AGE : 0));
        if (!this.on || mine !== this.asked) return; // a later fetch has the rows of now
        found.push(...patterns.filter((row) => isNew(row, since)));
        cursor = next;
      }
      this.found = found;
      this.none = cursor ? `none of the ${(PAGE * MOST_PAGES).toLocaleString()} most frequent patterns is new in this time range` : "no pattern is new in this time range";
    } catch (failure) {
      if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
      if (this.on && mine === this.asked && !this.found) {
        this.none = "new patterns could not be fetched; this is tried again";
        this.redraw();
      }
      return; // what is known stays
    } finally {
      if (mine === this.asked) this.asks = false;
    }
    const count = this.redraw();
    if (this.pressed) say(many(count, "new pattern")); // not after a change of filters, when the page says how many errors match
    this.pressed = false;
  }
}
