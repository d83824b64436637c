// The list of errors: newest first, filtered, loaded page by page. Repeats of one pattern on one worker are one row. The list
// does not move while somebody reads it: new errors, and those that were missed while the connection was lost, wait behind a
// button that counts them.

import { aged, ask, query } from "./api.js";
import { now } from "./clock.js";
import { counted } from "./counted.js";
import { time } from "./dom.js";
import { fold, matches } from "./match.js";
import { address, identity, row } from "./row.js";
import { bounds } from "./state.js";

const PAGE = 200, MOST = 1000, ROWS = 25, PAGES_AT_ONCE = 5, SEARCHES = 5, DRAW_MS = 100, STORM = 20, STORM_DRAW_MS = 1000;

export class List {
  // `open(id)` shows an error's details; `names` as in row.js; `still()` returns whether the list must not move now.
  constructor({ state, open, names, still }) {
    Object.assign(this, { state, open, names, still, fetching: false, errors: [], waiting: [], cursor: null, searched: null, behind: null, shown: ROWS });
    Object.assign(this, { timer: 0, drawnAt: 0, repeats: 0, asked: 0, has: null, ever: false, skippedAt: 0, dropped: false, drawn: () => {} });
    for (const id of ["errors", "news", "older", "stale", "nothing", "searched", "empty"]) this[`${id}Place`] = document.getElementById(id);
    this.newsPlace.onclick = () => this.showNews();
    this.olderPlace.onclick = () => this.showOlder();
  }

  // Whether the listed errors match the current range and filters; if not, they are still being fetched.
  get current() { return this.has === String(query(this.state)); }

  // The rows. Errors of one pattern on one worker are not folded when only they are listed: then the reader wants to see each.
  folded(errors = this.errors) {
    const { pattern, worker } = this.state.filters;
    return fold(errors, Boolean(pattern && worker?.length === 1));
  }

  wants(error) {
    const at = Date.parse(error.timestamp), [since, until] = bounds(counted(this.state), now());
    return at >= since && at < until && matches(error, this.state.filters, this.state.members);
  }

  // Makes the next `fetch` replace all errors and rows: the pattern ids changed, or the ids are those of other errors now.
  forget() {
    this.has = null;
    for (const made of this.errorsPlace.children) delete made.dataset.as;
  }

  // Notes that the live updates left errors out. `skippedAt` is not 0, and the list is marked, until a `fetch` has brought them.
  skip() {
    this.skippedAt = performance.now();
    this.errorsPlace.toggleAttribute("data-incomplete", true);
  }

  // Fetches the newest errors; the answer may be `maxAge` seconds old. For the same range and filters only the missing ones are
  // added. Live updates that arrive during the request are kept.
  async fetch(maxAge = 0) {
    const asked = ++this.asked, wanted = String(query(this.state)), skippedAt = this.skippedAt, began = performance.now();
    if (wanted !== this.has) Object.assign(this, { waiting: [], dropped: false });
    const found = await this.pages("", (errors) => asked === this.asked && this.folded(errors).length < ROWS, maxAge);
    if (asked !== this.asked) return; // a later request has begun
    if (this.skippedAt === skippedAt && began - skippedAt >= 1000 * maxAge) this.skippedAt = 0; // else the answer may lack them
    if (wanted === this.has) this.join(found, skippedAt > 0); else this.begin(found, wanted);
    this.errorsPlace.toggleAttribute("data-incomplete", this.skippedAt > 0);
  }

  // Fetches pages from a cursor, while `wanted(errors)` says so: many errors of one pattern fold into a single row, and a search
  // may find nothing for long. `searched` is the time back to which the service searched, null unless it stopped there.
  async pages(cursor, wanted, maxAge = 0) {
    const errors = [];
    let searched = null;
    for (let page = 0; page < PAGES_AT_ONCE && cursor !== null && wanted(errors); page++) {
      const found = await this.ask(cursor, maxAge);
      errors.push(...found.errors);
      ({ next_cursor: cursor, searched_since: searched } = found);
    }
    return { errors, cursor, searched };
  }

  begin({ errors, cursor, searched }, wanted) {
    const known = new Set(errors.map((error) => error.id));
    const waiting = this.waiting.filter((error) => !known.has(error.id));
    Object.assign(this, { errors, waiting, cursor, searched, behind: null, shown: ROWS, repeats: 0, has: wanted });
    this.takeWaiting();
  }

  // Adds fetched errors. If older ones were missed, too, the list begins again with these, and with live updates that are newer.
  join({ errors, cursor, searched }, skipped) {
    const known = this.known();
    const fresh = errors.filter((error) => !known.has(error.id));
    if (cursor !== null && errors.length && (skipped || fresh.length === errors.length)) {
      const fetched = new Set(errors.map((error) => error.id)), since = Date.parse(errors.at(-1).timestamp);
      const newer = this.waiting.filter((error) => !fetched.has(error.id) && Date.parse(error.timestamp) >= since);
      Object.assign(this, { waiting: [...errors, ...newer], behind: { cursor, searched } });
    } else {
      this.waiting.push(...fresh);
    }
    this.settle();
  }

  // Shows the next rows. If the button goes, the focus moves to the first of them.
  async showOlder() {
    if (this.fetching) return;
    this.fetching = true;
    const before = this.errorsPlace.children.length;
    try { await this.fetchOlder(before); } catch { this.say("Older errors could not be fetched."); }
    this.fetching = false;
    this.olderPlace.textContent = "Older errors";
    if (document.activeElement !== document.body && document.activeElement !== this.olderPlace || !this.olderPlace.hidden) return;
    const row = this.errorsPlace.children[Math.min(before, this.errorsPlace.children.length - 1)];
    (row?.querySelector("a.message") ?? document.getElementById("errors-title")).focus();
  }

  // Fetches pages until there is a further row, as far as it pays: errors of patterns that are listed already only raise a count.
  async fetchOlder(before) {
    if (!this.current) return; // the cursor belongs to the previous range or filters
    this.shown += ROWS;
    const had = this.errors.length;
    for (let search = 0; search < SEARCHES && this.cursor !== null && this.folded().length <= before; search++) {
      const asked = this.asked;
      const { errors, cursor, searched } = await this.pages(this.cursor, (found) => asked === this.asked && this.folded([...this.errors, ...found]).length <= before);
      if (asked !== this.asked) return;
      const known = new Set(this.errors.map((error) => error.id));
      this.errors.push(...errors.filter((error) => !known.has(error.id)));
      Object.assign(this, { cursor, searched });
      if (searched) break; // the service has searched as long as it does at once
      this.olderPlace.textContent = `Looking further back: ${(this.errors.length - had).toLocaleString()} errors…`;
    }
    this.repeats = this.cursor !== null && this.folded().length <= before ? this.errors.length - had : 0;
    this.draw();
  }

  ask(cursor, maxAge) {
    return ask(`/api/errors/list?${query(this.state, cursor ? { limit: PAGE, cursor } : { limit: PAGE })}`, aged(maxAge));
  }

  known() {
    return new Set([...this.errors, ...this.waiting].map((error) => error.id));
  }

  // The ids of the errors before and after `error` in the list, once that is current; undefined for none. The one after it is
  // asked for where it is not loaded; of errors that are older than the loaded ones, none before is known.
  async beside({ id, cursor }) {
    if (!this.current) await new Promise((resolve) => { this.drawn = resolve; });
    const at = this.errors.findIndex((error) => error.id === id);
    const older = at < 0 ? undefined : this.errors[at + 1]?.id;
    if (older !== undefined || (at >= 0 && this.cursor === null)) return { newer: this.errors[at - 1]?.id, older };
    const { errors } = await ask(`/api/errors/list?${query(this.state, { limit: 1, cursor })}`);
    return { newer: this.errors[at - 1]?.id, older: errors[0]?.id };
  }

  // Adds live updates.
  hear(errors) {
    const known = this.known();
    const fresh = errors.filter((error) => !known.has(error.id) && this.wants(error));
    this.waiting.push(...fresh);
    if (this.waiting.length > MOST) {
      this.waiting.splice(0, this.waiting.length - MOST);
      this.dropped = true;
    }
    if (fresh.length) this.drawSoon();
  }

  // Draws soon after the last drawing; in a storm once a second.
  drawSoon() {
    const pause = this.waiting.length > STORM ? STORM_DRAW_MS : DRAW_MS;
    this.timer ||= setTimeout(() => { this.timer = 0; this.settle(); }, Math.max(0, this.drawnAt + pause - performance.now()));
  }

  // Shows the waiting errors, unless somebody reads.
  settle() {
    if (!this.current) return; // the waiting errors belong to the list that is being fetched
    if (this.still()) this.drawNews(); else if (this.waiting.length || this.age()) this.takeWaiting();
  }

  // Removes errors that are older than the time range. Returns whether there were any.
  age() {
    const before = this.errors.length, [since] = bounds(counted(this.state), now());
    this.errors = this.errors.filter((error) => Date.parse(error.timestamp) >= since);
    return this.errors.length < before;
  }

  takeWaiting() {
    if (this.behind) Object.assign(this, { errors: [], ...this.behind, behind: null });
    const merged = [...this.waiting, ...this.errors].sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp) || b.id - a.id);
    this.errors = merged.slice(0, MOST);
    if (merged.length > MOST) Object.assign(this, { cursor: this.cursorBefore(merged[MOST]), searched: null });
    else if (this.dropped) Object.assign(this, { cursor: this.errors.at(-1)?.cursor ?? "", searched: null });
    Object.assign(this, { waiting: [], dropped: false });
    this.draw();
  }

  // Returns a cursor whose page has `error` and all older ones. The service sorts by microseconds, but timestamps show only
  // milliseconds, so the page may begin with errors of the same millisecond that are listed already.
  cursorBefore(error) {
    return this.errors.findLast((listed) => listed.timestamp !== error.timestamp)?.cursor ?? "";
  }

  // Shows the waiting errors, and moves to the first of them.
  showNews() {
    const ids = new Set(this.waiting.map((error) => String(error.id)));
    this.takeWaiting();
    const rows = [...this.errorsPlace.children], row = rows.find((made) => ids.has(made.dataset.id)) ?? rows[0];
    row?.querySelector("a.message").focus({ preventScroll: true });
    const { top, bottom } = row?.getBoundingClientRect() ?? {};
    if (top < document.getElementById("bar").getBoundingClientRect().bottom || bottom > innerHeight) {
      (row === rows[0] ? document.getElementById("list") : row).scrollIntoView({ block: "start" });
    }
  }

  drawNews() {
    if (!this.waiting.length && document.activeElement === this.newsPlace) document.getElementById("errors-title").focus({ preventScroll: true });
    const count = this.waiting.length;
    this.newsPlace.hidden = count === 0;
    this.newsPlace.textContent = `${count}${count >= MOST || this.behind ? " or more" : ""} new ${count === 1 ? "error" : "errors"}`;
  }

  // Marks the list if it does not match the filters, because the service did not answer.
  mark() {
    this.say(this.current ? "" : "These errors do not match the filters yet: the service does not answer.");
  }

  say(text) {
    this.stalePlace.textContent = text;
    this.errorsPlace.toggleAttribute("data-stale", !this.current);
  }

  draw() {
    this.drawnAt = performance.now();
    this.drawn();
    const drawn = new Map([...this.errorsPlace.children].map((made) => [made.dataset.as, made]));
    const folded = this.folded(), more = this.cursor !== null;
    const rows = folded.slice(0, this.shown).map((one) => {
      const made = drawn.get(identity(one, more));
      return made ? address(made, one.error, this.names) : row(one, more, this);
    });
    const changed = rows.length !== this.errorsPlace.children.length || rows.some((made, i) => made !== this.errorsPlace.children[i]);
    if (changed) this.put(rows);
    this.olderPlace.hidden = !more && folded.length <= this.shown;
    this.drawNews();
    this.say("");
    const filtered = Object.keys(this.state.filters).length > 0;
    this.nothingPlace.hidden = this.errors.length > 0 || !filtered || more;
    this.drawSearched();
    this.emptyPlace.hidden = this.errors.length > 0 || filtered;
  }

  // How far the list was searched, where that gave no row.
  drawSearched() {
    this.searchedPlace.hidden = this.searched === null && !this.repeats;
    if (this.searched) this.searchedPlace.replaceChildren("Searched back to ", time(this.searched), this.errors.length ? "." : ", nothing found yet.");
    else if (this.repeats) {
      this.searchedPlace.replaceChildren(`${this.repeats.toLocaleString()} older errors, back to `, time(this.errors.at(-1).timestamp), ", all repeat rows above.");
    }
  }

  // Replaces the rows. A focused row keeps the focus; if it is gone, the last row gets it.
  put(rows) {
    const focused = this.errorsPlace.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.closest("li").dataset.key;
    this.errorsPlace.replaceChildren(...rows);
    if (!focused) return;
    const same = rows.find((made) => made.dataset.key === key) ?? rows.at(-1);
    (same?.querySelector(`a.${focused.className}`) ?? same?.querySelector("a.message"))?.focus({ preventScroll: true });
  }
}
