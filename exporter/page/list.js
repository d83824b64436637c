// The list of errors: newest first, filtered, a page at a time; repeats of one pattern on one worker are one row. Nothing
// moves under the pointer: while the list is paused, scrolled or pointed at, new errors wait behind a button that counts
// them.

import { element, severity, time } from "./dom.js";

const PAGE = 200, MOST = 1000, ROWS = 25, PAGES_AT_ONCE = 5, DRAW_MS = 100, STORM = 20, STORM_DRAW_MS = 1000;

export class List {
  // `open(id)` shows an error's details; `filter(name, value)` is the address of the page with one more filter; `still()`
  // says whether the list must not move now.
  constructor({ state, open, filter, still }) {
    Object.assign(this, { state, open, filter, still, errors: [], waiting: [], cursor: null, timer: 0, drawnAt: 0, asked: 0, shown: ROWS });
    this.body = document.getElementById("errors");
    this.news = document.getElementById("news");
    this.older = document.getElementById("older");
    this.news.onclick = () => this.takeWaiting();
    this.older.onclick = () => this.fetchOlder();
  }

  // Asks until there are some rows to see: a flood of one pattern may fill pages with a single one.
  async fetch() {
    const asked = ++this.asked;
    const errors = [];
    let cursor = "";
    for (let page = 0; page < PAGES_AT_ONCE && cursor !== null; page++) {
      const found = await this.ask(cursor);
      if (asked !== this.asked) return; // something else was asked for meanwhile
      errors.push(...found.errors);
      cursor = found.next_cursor;
      if (fold(errors).length >= ROWS) break;
    }
    Object.assign(this, { errors, waiting: [], cursor, shown: ROWS });
    this.draw();
  }

  async fetchOlder() {
    this.shown += ROWS;
    if (this.cursor === null || fold(this.errors).length >= this.shown) {
      this.draw();
      return;
    }
    const page = await this.ask(this.cursor);
    const known = new Set(this.errors.map((error) => error.id));
    this.errors.push(...page.errors.filter((error) => !known.has(error.id)));
    this.cursor = page.next_cursor;
    this.draw();
  }

  async ask(cursor) {
    const query = new URLSearchParams({ time_range: this.state.range, limit: PAGE });
    for (const [name, values] of Object.entries(this.state.filters)) for (const value of values) query.append(name, value);
    if (cursor) query.set("cursor", cursor);
    const response = await fetch(`/api/errors/list?${query}`);
    if (!response.ok) throw new Error((await response.json()).message);
    return (await response.json()).data;
  }

  // Takes what just came, and returns what of it is new to this list.
  hear(errors) {
    const known = new Set([...this.errors, ...this.waiting].map((error) => error.id));
    const since = Date.now() - this.state.range * 3_600_000;
    const fresh = errors.filter((e) => !known.has(e.id) && Date.parse(e.timestamp) > since && matches(e, this.state.filters));
    this.waiting.push(...fresh);
    if (this.waiting.length > MOST) this.waiting.splice(0, this.waiting.length - MOST);
    if (fresh.length) this.drawSoon();
    return fresh;
  }

  // At once when it was quiet; in a storm once a second.
  drawSoon() {
    const pause = this.waiting.length > STORM ? STORM_DRAW_MS : DRAW_MS;
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      if (this.still()) this.drawNews(); else this.takeWaiting();
    }, Math.max(0, this.drawnAt + pause - performance.now()));
  }

  takeWaiting() {
    const merged = [...this.waiting, ...this.errors].sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp) || b.id - a.id);
    this.errors = merged.slice(0, MOST);
    if (merged.length > MOST) this.cursor = cursorAfter(this.errors.at(-1)); // what fell out is asked for again
    this.waiting = [];
    this.draw();
  }

  drawNews() {
    this.news.hidden = this.waiting.length === 0;
    this.news.textContent = `${this.waiting.length}${this.waiting.length === MOST ? " or more" : ""} new errors`;
  }

  draw() {
    this.drawnAt = performance.now();
    const drawn = new Map([...this.body.children].map((row) => [`${row.dataset.id}×${row.dataset.count}`, row]));
    const folded = fold(this.errors);
    const rows = folded.slice(0, this.shown).map((one) => drawn.get(`${one.error.id}×${one.count}`) ?? this.row(one));
    const changed = rows.length !== this.body.children.length || rows.some((row, i) => row !== this.body.children[i]);
    if (changed) this.put(rows);
    this.older.hidden = this.cursor === null && folded.length <= this.shown;
    this.drawNews();
    const filtered = Object.keys(this.state.filters).length > 0;
    document.getElementById("nothing").hidden = this.errors.length > 0 || !filtered;
    document.getElementById("empty").hidden = this.errors.length > 0 || filtered;
  }

  // Who is in a row with the keyboard stays in it, or in the one that has taken its place.
  put(rows) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.closest("li").dataset.key;
    this.body.replaceChildren(...rows);
    if (focused) rows.find((row) => row.dataset.key === key)?.querySelector(`a.${focused.className}`)?.focus();
  }

  row({ error, count }) {
    const link = element("a", { href: this.filter("error", error.id), class: "message" }, error.message || error.type);
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.open(error.id);
    };
    return element("li", { "data-id": error.id, "data-count": count, "data-key": key(error) },
      time(error.timestamp), severity(error.severity),
      element("span", { class: "worker" }, error.worker_id),
      element("span", { class: "kind" }, `${error.error_category} · ${error.type}`),
      count > 1 ? element("a", { class: "count", href: this.filter("fingerprint", error.fingerprint), title: "all errors of this pattern" }, `×${count}`) : "",
      link,
      element("span", { class: "reasons" }, `why: ${error.reasons.join(", ")}`));
  }
}

// Rows of the list: the newest error of each pattern on each worker (a critical one is never hidden under a warning), and
// how many the list has of it.
export function fold(errors) {
  const rows = new Map();
  for (const error of errors) {
    const row = rows.get(key(error));
    if (row) row.count += 1; else rows.set(key(error), { error, count: 1 });
  }
  return [...rows.values()];
}

function key(error) {
  return `${error.fingerprint} ${error.severity} ${error.worker_id}`;
}

// A place in the list, as the service writes it: not after the error's own millisecond, which others may share.
function cursorAfter(error) {
  return `${(Date.parse(error.timestamp) + 1) * 1000}.${error.id}`;
}

const GROUPS = {
  resource: (e) => e.error_category.toUpperCase().startsWith("RESOURCE_"),
  network: (e) => e.error_category.toUpperCase().startsWith("NETWORK_"),
  worker: (e) => e.error_category.toUpperCase().startsWith("WORKER_"),
  test: (e) => e.error_category.toUpperCase().startsWith("TEST_"),
  hardware: (e) => e.is_hardware_error,
  recurring: (e) => e.is_recurring,
};

// What the service's own filters would say of an error that just came.
export function matches(error, filters) {
  const any = (name, value) => !filters[name] || filters[name].includes(value);
  const text = [error.message, error.type, error.worker_id, error.error_category].join("\n").toLowerCase();
  return any("severity", error.severity) && any("category", error.error_category) && any("worker", error.worker_id)
    && any("type", error.type) && any("fingerprint", error.fingerprint)
    && any("hardware", error.hardware_context?.hardware_type ?? null)
    && (!filters.group || filters.group.some((name) => GROUPS[name]?.(error)))
    && (!filters.q || text.includes(filters.q[0].toLowerCase()));
}
