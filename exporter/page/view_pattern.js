// The view of a pattern: its state, since when and how often, what stood at its variable places, what it touches, each of its errors, what
// began at the same time, and why its errors are one.

import { ask, query } from "./api.js";
import { history } from "./audit.js";
import { counted } from "./counted.js";
import { full } from "./dates.js";
import { ago, element } from "./dom.js";
import { keep } from "./keep.js";
import { correct, why } from "./pattern.js";
import { inWords } from "./span.js";
import { many } from "./spell.js";
import { viewAddress } from "./state.js";
import { stateBox } from "./state_form.js";
import { fitting, said, silence } from "./states.js";
import { bars } from "./trend.js";
import { PLACE, variables } from "./variables.js";
import { errorRows, errorsOf, facts, gone, link, rankings, section, sequence, table } from "./view_parts.js";

const AROUND_MS = 300_000, VALUES = 5, MOST_PAGES = 20;
const ACTIONS = [{ name: "claim", label: "Claim" }, { name: "resolve", label: "Resolve" }, { name: "mute", label: "Mute", ends: "errors" }, { name: "reopen", label: "Reopen" }, { name: "note", label: "Add a note", writes: true }];

export async function draw(body, id, tools) {
  const { state, filter, view, wanted } = tools;
  const span = { ...state, filters: {} }, since = performance.now();
  const path = `/api/patterns/${encodeURIComponent(id)}`;
  const found = await ask(`${path}?${query(span)}`).catch((failure) => { if (failure.status === 404) return null; throw failure; });
  if (!wanted()) return;
  if (!found) {
    return gone(body, `the pattern ${id.slice(0, 100)}`, { ...tools, leadTo: (other) => viewAddress(other, "pattern", id) }, (ever) => ask(`${path}?${ever}`));
  }
  const of = { pattern: [found.pattern_id] };
  const values = element("div"), touched = element("div", { class: "beside" }), around = element("div");
  const changes = history({ pattern: found.pattern_id }, (error) => filter("error", error));
  const errors = errorRows({ ...tools, span }, of, { onFirst: (some) => values.replaceChildren(places(found, some)) });
  body.replaceChildren(
    element("h2", { id: "view-title" }, element("span", { class: "kind" }, "Pattern"), " ", ...template(found.pattern)),
    stateOf(found, since, changes.load),
    facts([
      ["errors", `${errorsOf(found.occurrences, found.critical)} ${inWords(counted(state), true)} on ${many(found.workers, "worker")}`],
      ["first seen", ago(found.ever_first_seen ?? found.first_seen), ` · ${full(found.ever_first_seen ?? found.first_seen)}`],
      ["last seen", ago(found.last_seen), ` · ${full(found.last_seen)}`],
      ["type", element("a", { href: filter("type", found.type) }, found.type)],
      ["category", element("a", { href: filter("category", found.category) }, found.category)],
      ["keep", ...keep("pattern", `/api/patterns/${encodeURIComponent(found.pattern_id)}`, found.pinned)],
    ]),
    element("p", {}, element("a", { href: filter("pattern", found.pattern_id) }, "Filter the page by this pattern")),
    section("Trend", trend(found)), values, touched, section("All errors", errors.place), around, changes.place,
    element("details", { open: found.fingerprints > 1 ? "" : null }, element("summary", {}, "Why is this one pattern?"), element("dl", { class: "facts" }, ...why(found, filter))),
    own(correct(found, tools.changed)));
  await Promise.all([drawTouched(touched, found, of, { ...tools, span }), drawAround(around, found, tools), errors.ready, changes.load()]);
}

function template(text) {
  return text.split(PLACE).flatMap((part, i) => [i ? element("mark", {}, PLACE) : "", part]);
}

// The state with the buttons that change it.
function stateOf({ pattern_id: id, state }, since, onChange) {
  const path = `/api/patterns/${encodeURIComponent(id)}`, stateIn = (answer) => answer.state;
  return stateBox({ of: `pattern:${id}`, path, state, since, words: said, note: silence, actions: ACTIONS, fits: (now, name) => [...fitting(now, name), "note"], stateIn,
    look: () => ask(`${path}/state`).then(stateIn), onChange });
}

function trend({ trend: counts, occurrences, first_seen: first, last_seen: last }) {
  const most = Math.max(...counts);
  return element("div", {}, bars(counts, `${many(occurrences, "error")} over the span of time, ${most.toLocaleString()} in the highest bar`),
    element("p", { class: "quiet ends" }, element("span", {}, "first in this span ", ago(first)), element("span", {}, `highest bar ${many(most, "error")}`), element("span", {}, "last ", ago(last))));
}

// The most frequent values at each variable place; "" without any.
function places({ pattern, families }, errors) {
  const { fitting, places: all } = variables(pattern, errors.map((error) => error.message));
  if (!all.length) return "";
  const rows = all.map(({ before, values }, i) => [before ? `${before} ${PLACE}` : `place ${i + 1}`, fitting ? values : (families[0]?.values[i] ?? []).map((value) => [value, null])]);
  const head = fitting ? `Values at its places, in the newest ${many(fitting, "error")}` : "Values at its places";
  return section(head, element("dl", { class: "facts places" }, ...rows.flatMap(([name, values]) => [
    element("dt", {}, name),
    element("dd", {}, ...values.slice(0, VALUES).flatMap(([value, count], i) => [i ? " · " : "", element("b", {}, value || "(empty)"), count ? ` ×${count.toLocaleString()}` : ""]),
      values.length > VALUES ? ` · and ${values.length - VALUES} more` : "", values.length ? "" : "none seen")])));
}

async function drawTouched(place, found, of, tools) {
  const row = ({ worker_id: worker, errors, last_seen: last, last_error_at: at }) => [link(tools.view("worker", worker), worker), errors, last ?? at ? ago(last ?? at) : ""];
  const workers = section("Workers", table(["worker", "errors", "last"], found.worker_stats.map(row), { total: found.workers, rest: async () => (await allWorkers(of, tools.span)).map(row) }));
  const others = await rankings(["device", "test", "run"], of, tools).catch(() => []); // the rest of the view is shown without it
  if (tools.wanted()) place.replaceChildren(workers, ...others);
}

// The workers of a pattern, of which its details name 100.
async function allWorkers(of, span) {
  const found = [];
  let cursor = "";
  for (let page = 0; page < MOST_PAGES && cursor !== null; page++) {
    const answer = await ask(`/api/workers?${query({ ...span, filters: of }, { sort: "errors", limit: 500, ...cursor && { cursor } })}`);
    found.push(...answer.workers);
    cursor = answer.next_cursor;
  }
  return found.filter(({ errors }) => errors);
}

// Other patterns whose errors came within five minutes of its first one in this span.
async function drawAround(place, { pattern_id: id, first_seen: first }, tools) {
  const near = { from: new Date(Date.parse(first) - AROUND_MS).toISOString(), to: new Date(Date.parse(first) + AROUND_MS).toISOString() };
  const answer = await ask(`/api/patterns?${query({ ...near, filters: { "pattern!": [id] } }, { limit: 50 })}`).catch(() => null);
  if (!tools.wanted() || !answer) return;
  place.replaceChildren(section("What else happened within five minutes of its beginning", sequence(answer.patterns, first, tools)
    ?? element("p", { class: "quiet" }, "nothing")));
}

// The forms have ids of their own: the same forms may be above the list of errors, too.
function own(form) {
  for (const one of [form, ...form.querySelectorAll("[id]")]) if (one.id) one.id = `view-${one.id}`;
  return form;
}
