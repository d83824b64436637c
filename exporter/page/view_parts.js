// What the views of a pattern, worker, run and test have in common: sections, facts, tables that show their first rows, and the
// list of all errors that match.

import { ask, query } from "./api.js";
import { full } from "./dates.js";
import { ago, counted, element, severity, time } from "./dom.js";
import { many } from "./spell.js";
import { marked } from "./state_line.js";

const FIRST = 8, PAGE = 100, ROWS = 20, MOST = 2000, MOST_RANKED = 1000; // the service sends no more of a ranking
const EVER = 87_600; // hours: the longest span that the service takes
const DAY_MS = 86_400_000;

// Rows of a list of facts; a value of null leaves its row out.
export function facts(rows) {
  return element("dl", { class: "facts" }, ...rows.filter(([, ...values]) => values.some((value) => value != null && value !== "")).flatMap(([name, ...values]) => [
    element("dt", {}, name), element("dd", {}, ...values.filter((value) => value != null))]));
}

export function section(title, ...body) {
  const shown = body.filter(Boolean);
  return shown.length ? element("section", {}, element("h3", {}, title), ...shown) : "";
}

export function link(href, text, title = text) {
  return element("a", { href, class: "text", title }, text);
}

// A table with a heading for each column; more than a few rows are shown after a click. A cell is a text, a number or an element.
// `rest()`, if given, returns the rows that the service did not send yet. `total` is the number of all rows, Infinity if it is not
// known; then `rest` returns `MOST_RANKED` at most.
export function table(head, rows, { first = FIRST, total = rows.length, rest = null } = {}) {
  if (!rows.length) return null;
  const body = element("tbody", {}, ...rows.slice(0, first).map(tableRow));
  const made = element("div", { class: "grid", role: "region", tabindex: "0", "aria-label": `Table of ${head[0]}s` },
    element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text, i) => element("th", { scope: "col", class: i ? "number" : null }, text)))), body));
  if (total <= first) return made;
  const button = element("button", { type: "button", class: "more" }, total === Infinity ? "Show more" : `Show all ${total.toLocaleString()}`);
  let busy = false;
  button.onclick = async () => {
    if (busy) return;
    busy = true; // not disabled: a disabled button loses the focus
    try {
      const all = rest && total > rows.length ? await rest() : rows;
      body.replaceChildren(...all.map(tableRow));
      made.focus();
      const isCut = total === Infinity && all.length >= MOST_RANKED;
      button.replaceWith(isCut ? element("p", { class: "quiet" }, `These are the ${MOST_RANKED.toLocaleString()} with most errors.`) : "");
    } catch {
      button.textContent = "They could not be fetched. Try again";
    }
    busy = false;
  };
  return element("div", {}, made, button);
}

function tableRow(cells) {
  return element("tr", {}, ...cells.map((cell, i) => element("td", { class: i ? "number" : null }, typeof cell === "number" ? cell.toLocaleString() : cell ?? "")));
}

// All errors of a span that match `filters`, newest first, loaded page by page. `marked` is the id of one that is marked.
// `named`: the rows name the worker. `onFirst(errors)` is called with the first page.
export function errorRows({ span, filter, view, wanted }, filters, { marked = null, named = true, onFirst = () => {}, none = "none", rows = ROWS } = {}) {
  const list = element("ol", { class: named ? "rows" : "rows unnamed" }), button = element("button", { type: "button", class: "more", hidden: "" }, "Older errors");
  const note = element("p", { class: "quiet" }, "Loading…");
  const errors = [];
  let cursor = "", shown = 0, busy = false;
  const fetchPage = async () => {
    const found = await ask(`/api/errors/list?${query({ ...span, filters }, { limit: PAGE, ...cursor && { cursor } })}`);
    errors.push(...found.errors);
    cursor = found.next_cursor;
    return found.errors;
  };
  const more = async () => {
    if (busy) return;
    busy = true; // not disabled: a disabled button loses the focus
    try {
      const first = cursor === "";
      if (cursor !== null && errors.length < shown + rows) { const page = await fetchPage(); if (first && wanted()) onFirst(page); }
      if (!wanted()) return;
      const next = errors.slice(shown, shown + rows);
      shown += next.length;
      const made = next.map((error) => errorRow(error, { filter, view, marked, named }));
      list.append(...made);
      note.textContent = errors.length ? "" : none;
      const left = shown < errors.length || cursor !== null;
      button.hidden = !left || shown >= MOST;
      if (left && shown >= MOST) note.textContent = `These are the newest ${MOST.toLocaleString()}; the page's list has the others.`;
      if (!first) made[0]?.querySelector("a.message").focus({ preventScroll: true });
    } catch {
      note.textContent = "The errors could not be fetched.";
      button.hidden = false;
    }
    busy = false;
  };
  button.onclick = more;
  const ready = more();
  return { place: element("div", {}, list, note, button), ready };
}

// A row of such a list.
export function errorRow(error, { filter, view, marked, named = true }) {
  const here = error.id === marked;
  return element("li", { "aria-current": here ? "true" : null },
    element("span", { class: "when" }, time(error.timestamp), counted(error)), severity(error.severity),
    named ? element("a", { class: "worker", href: view("worker", error.worker_id), title: error.worker_id }, error.worker_id) : "",
    element("a", { class: "message", href: filter("error", error.id), title: error.message || error.type }, error.message || error.type));
}

// A table of patterns in the order in which they began, with the time since `start` (ISO 8601).
export function sequence(patterns, start, { view }, more = {}) {
  const rows = patterns.toSorted((a, b) => Date.parse(a.first_seen) - Date.parse(b.first_seen));
  return table(["pattern", "began", "errors", "critical", "workers"], rows.map((row) => [
    marked(link(view("pattern", row.pattern_id), row.pattern), row.state), element("span", { title: full(row.first_seen) }, offset(row.first_seen, start)),
    row.occurrences, row.critical, row.workers]), more);
}

// The time from `start` to `at`, such as "+2 min 5 s".
export function offset(at, start) {
  const ms = Date.parse(at) - Date.parse(start), seconds = Math.floor(Math.abs(ms) / 1000), sign = ms < 0 ? "−" : "+";
  if (Math.abs(ms) < 1000) return ms ? `${sign}${Math.abs(ms)} ms` : "at first";
  const parts = [["d", Math.floor(seconds / 86_400)], ["h", Math.floor(seconds / 3600) % 24], ["min", Math.floor(seconds / 60) % 60], ["s", seconds % 60]];
  const from = parts.findIndex(([, count]) => count);
  return sign + parts.slice(from, from + 2).filter(([, count]) => count).map(([unit, count]) => `${count} ${unit}`).join(" ");
}

// The rankings of what errors with these filters belong to, as tables with a title; "" for those without a value.
export async function rankings(names, filters, { span, filter, view }) {
  const path = (name, limit) => `/api/rankings?${query({ ...span, filters }, { by: name, limit })}`;
  const answers = await Promise.all(names.map((name) => ask(path(name, PAGE))));
  const row = (name) => (one) => [
    link(name === "device" ? filter(name, one.name) : view(name, one.name), one.name), one.error_count, one.critical_errors, one.workers, ago(one.last_seen)];
  return answers.map(({ values }, i) => {
    const name = names[i], full = values.length === PAGE;
    const rest = async () => (await ask(path(name, MOST_RANKED))).values.map(row(name));
    return section(titled(name), table([name, "errors", "critical", "workers", "last"], values.map(row(name)),
      full ? { total: Infinity, rest } : {}));
  });
}

// Says that there is nothing in the span; if `look(query)` finds something in any span, with a link to it. `look` returns a
// struct with `last_seen`, or null.
export async function gone(body, what, { wanted, state, leadTo }, look) {
  const found = await look(new URLSearchParams({ time_range: EVER })).catch((failure) => { if (failure.status === 404) return null; throw failure; });
  if (!wanted()) return;
  if (!found) return void body.replaceChildren(element("p", {}, `There is no error of ${what}. The link may be old: errors are deleted after some time.`));
  const last = Date.parse(found.last_seen);
  const to = leadTo({ ...state, from: new Date(last - DAY_MS).toISOString(), to: new Date(last + 1000).toISOString() });
  body.replaceChildren(element("p", {}, `There is no error of ${what} in this span of time. The last one was `, ago(found.last_seen), ": ",
    element("a", { href: to }, "show the day before it"), "."));
}

// A name in the plural, as a title.
export function titled(name) {
  return `${name[0].toUpperCase()}${name.slice(1)}${name.endsWith("ch") ? "es" : "s"}`;
}

export function errorsOf(count, critical) {
  return `${many(count, "error")}${critical ? `, ${critical.toLocaleString()} critical` : ""}`;
}
