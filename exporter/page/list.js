// The list of errors: newest first, filtered, a page at a time. Nothing moves under the pointer: while the list is paused or
// scrolled, new errors wait behind a button that counts them.

import { element, severity, time } from "./dom.js";
import { FILTERS } from "./state.js";

const SHOWN = 100;

export class List {
  // `open(id)` shows an error's details; `still()` says whether the list must not move now.
  constructor({ state, open, still }) {
    Object.assign(this, { state, open, still, errors: [], waiting: [], cursor: null });
    this.body = document.getElementById("errors");
    this.news = document.getElementById("news");
    this.older = document.getElementById("older");
    this.news.onclick = () => this.takeWaiting();
    this.older.onclick = () => this.fetchOlder();
  }

  async fetch() {
    const page = await this.ask("");
    this.errors = page.errors;
    this.waiting = [];
    this.cursor = page.next_cursor;
    this.draw();
  }

  async fetchOlder() {
    const page = await this.ask(this.cursor ?? "");
    const known = new Set(this.errors.map((error) => error.id));
    this.errors.push(...page.errors.filter((error) => !known.has(error.id)));
    this.cursor = page.next_cursor;
    this.draw();
  }

  async ask(cursor) {
    const query = new URLSearchParams({ time_range: this.state.range, limit: SHOWN });
    for (const [name, values] of Object.entries(this.state.filters)) for (const value of values) query.append(name, value);
    if (cursor) query.set("cursor", cursor);
    const response = await fetch(`/api/errors/list?${query}`);
    if (!response.ok) throw new Error((await response.json()).message);
    return (await response.json()).data;
  }

  hear(errors) {
    const known = new Set([...this.errors, ...this.waiting].map((error) => error.id));
    const since = Date.now() - this.state.range * 3_600_000;
    const fresh = errors.filter((e) => !known.has(e.id) && Date.parse(e.timestamp) > since && matches(e, this.state.filters));
    this.waiting.push(...fresh);
    if (this.waiting.length > SHOWN) this.waiting.splice(0, this.waiting.length - SHOWN);
    if (fresh.length && !this.still()) this.takeWaiting(); else this.drawNews();
    return fresh;
  }

  takeWaiting() {
    this.errors = [...this.waiting, ...this.errors]
      .sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp) || b.id - a.id).slice(0, Math.max(SHOWN, this.errors.length));
    this.waiting = [];
    this.draw();
  }

  drawNews() {
    this.news.hidden = this.waiting.length === 0;
    this.news.textContent = `${this.waiting.length}${this.waiting.length === SHOWN ? " or more" : ""} new errors`;
  }

  draw() {
    const drawn = new Map([...this.body.children].map((row) => [row.dataset.id, row]));
    this.body.replaceChildren(...this.errors.map((error) => drawn.get(String(error.id)) ?? this.row(error)));
    this.older.hidden = this.cursor === null;
    this.drawNews();
    const filtered = FILTERS.some((name) => this.state.filters[name]);
    document.getElementById("nothing").hidden = this.errors.length > 0 || !filtered;
    document.getElementById("empty").hidden = this.errors.length > 0 || filtered;
  }

  row(error) {
    const link = element("a", { href: `?error=${error.id}`, class: "message" }, error.message || error.type);
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.open(error.id);
    };
    return element("li", { "data-id": error.id },
      time(error.timestamp), severity(error.severity),
      element("span", { class: "worker" }, error.worker_id),
      element("span", { class: "kind" }, `${error.error_category} · ${error.type}`),
      link,
      element("span", { class: "reasons" }, `why: ${error.reasons.join(", ")}`));
  }
}

// What the service's own filters would say of an error that just came.
export function matches(error, filters) {
  const any = (name, value) => !filters[name] || filters[name].includes(value);
  const text = [error.message, error.type, error.worker_id, error.error_category].join("\n").toLowerCase();
  return any("severity", error.severity) && any("category", error.error_category) && any("worker", error.worker_id)
    && any("type", error.type) && any("fingerprint", error.fingerprint)
    && any("hardware", error.hardware_context?.hardware_type ?? null)
    && (!filters.q || text.includes(filters.q[0].toLowerCase()));
}
