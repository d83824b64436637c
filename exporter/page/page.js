// The page: a snapshot of a span of time from the API, then live updates. The URL holds span, filters and the open error.

import { addresses } from "./addresses.js";
import { Alarm } from "./alarm.js";
import * as announce from "./announce.js";
import { query } from "./api.js";
import * as charts from "./charts.js";
import * as clock from "./clock.js";
import * as connection from "./connection.js";
import * as chips from "./chips.js";
import { Compare } from "./compare.js";
import { bindFilters, bindKeys, bindMenu, bindReset, bindTheme, drawFacets, drawRange } from "./controls.js";
import { copy } from "./copy.js";
import * as counting from "./counted.js";
import { Data } from "./data.js";
import { TWELVE } from "./dates.js";
import * as filterField from "./filter_field.js";
import * as layout from "./layout.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import * as machines from "./machines.js";
import * as notify from "./notify.js";
import * as overTime from "./over_time.js";
import * as pattern from "./pattern.js";
import { bindNewOnly } from "./patterns_table.js";
import { draw as drawPanels, drawStates } from "./panels.js";
import * as rankings from "./rankings.js";
import * as session from "./session.js";
import * as soundSettings from "./sound_settings.js";
import { inWords } from "./span.js";
import { SpanPicker } from "./span_picker.js";
import { stateOf, wider } from "./span_steps.js";
import { many } from "./spell.js";
import { address, bounds, excluding, including, opened, read, shut, unfiltered } from "./state.js";
import * as stateNews from "./state_news.js";
import { onRest, still } from "./still.js";
import * as storage from "./storage.js";
import { drawCards, drawClocks, drawSinceReset, markCards } from "./summary.js";
import * as verdict from "./verdict.js";
import * as version from "./version.js";
import * as view from "./view.js";
import { Visit } from "./visit.js";
import * as wall from "./wall.js";

document.documentElement.dataset.hours = TWELVE ? 12 : 24; // its times are wider

const NOTICE_MS = 10_000;
const SPAN = ["from", "to", "time_range"]; // parameters of the API
const WIDEST = { range: 168, from: null, to: null };
const EXAMPLE = `curl -X POST ${location.origin}/api/report-error \\
  -H 'Content-Type: application/json' \\
  -d '{"worker_id": "worker-1", "type": "ResourceError", "message": "Failed to allocate GPU memory"}'`;

const by = (id) => document.getElementById(id);
const main = document.querySelector("main");
const paused = () => by("pause").checked;
const state = read();
const visit = new Visit(state, show);
const names = addresses(state);
const list = new List({ state, names, open: (id) => visit.go({ error: String(id), view: null }), still });
const data = new Data({ state, list, paused, draw, drawFacets: (found) => drawFacets(found, state.filters),
  rank: () => rankings.show(state, names), news, refused, failed, done, heard: () => live?.seq ?? 0 });
const picker = new SpanPicker(state, (change) => visit.go(change));
const compare = new Compare(state, drawOverTime);
let live = null, told = null, noticeTimer = 0, patternShown = null, shown = null, filtered = false, width = innerWidth, drawSound = () => {};
const alarm = new Alarm(() => { drawSound(); wall.note(); });

// Draws the differences from the state `before`.
async function show(before) {
  drawRange(state);
  picker.draw();
  verdict.draw();
  counting.draw(state);
  markCards(state.filters);
  chips.draw(state, (filters) => visit.go({ filters }), () => visit.go({ from: null, to: null }));
  if (String(before?.filters.q) !== String(state.filters.q)) by("q").value = state.filters.q?.[0] ?? ""; // does not overwrite what is being typed
  if (opened(state) !== opened(before ?? {}) || (opened(state) && String(query(state)) !== String(query(before)))) showView();
  if (shownPattern(state) !== shownPattern(before)) patternShown = showPattern();
  if (before && before.compare !== state.compare) drawOverTime();
  const place = (of) => address({ ...shut(of), compare: null });
  if (before && place(before) === place(state)) return;
  notice("");
  filtered = Boolean(before);
  await data.load();
}

// What the view of a pattern depends on; "" if no pattern is chosen.
function shownPattern(of) {
  const [id] = of?.filters.pattern ?? of?.filters.fingerprint ?? [];
  return id ? `${query({ ...of, filters: {} })} ${id}` : "";
}

function showPattern() {
  const [id] = state.filters.pattern ?? state.filters.fingerprint ?? [];
  state.members = new Set();
  return pattern.show(by("pattern"), id, { span: { ...state, filters: {} }, filter: names.only, found: patternFound, changed: patternChanged });
}

// An id of the past in the address is replaced by the current one, which live updates carry. Returns whether it was.
function patternFound({ pattern_id: id, members }) {
  if (!state.filters.pattern) return false;
  state.members = new Set(members.map((one) => one.fingerprint));
  if (state.filters.pattern[0] === id) return false;
  setFilter("pattern", [id], { replace: true });
  return true;
}

async function patternChanged(text, id) {
  list.forget();
  const { fingerprint: _, ...others } = state.filters, before = shownPattern(state);
  await visit.go({ filters: { ...others, pattern: [id] } });
  if (shownPattern(state) === before) patternShown = showPattern();
  for (let shown; shown !== patternShown;) await (shown = patternShown); // an id of the past is shown again under the current one
  if (by("pattern-correct")) by("pattern-correct").open = true;
  by("pattern-title")?.focus({ preventScroll: true });
  notice(text, true);
  data.now();
}

function showView() {
  if (opened(state)) {
    view.show(by("details"), opened(state), { state, filter: names.only, view: names.view, visit, list, changed: regrouped });
  } else if (by("details").open) by("details").close();
}

// A pattern was merged, split or the like in its view, which goes on with the pattern `id`.
function regrouped(text, id) {
  list.forget();
  if (state.view === `pattern:${id}`) showView(); else visit.go({ error: null, view: `pattern:${id}` }, { replace: true });
  view.tell(text);
  data.now();
}

// Draws what depends on the compared span, too.
function drawOverTime() {
  if (!shown) return;
  compare.take(shown);
  overTime.draw(shown, compare.line(shown), names.narrowed, address(shut(state)));
  compare.mark(shown);
}

function draw(overview) {
  shown = overview;
  stateNews.apply(overview);
  drawCards(overview, (filters) => visit.go({ filters }), state);
  markCards(state.filters);
  drawSinceReset(overview);
  drawClocks(overview);
  counting.draw(state); // the moment from which is counted leaves the span as time goes on
  if (main.dataset.loading) main.dataset.loading = "list";
  hold();
  if (state.wall) return wall.draw(overview);
  picker.draw(); // its words have a date from midnight on
  drawOverTime();
  drawPanels(overview, names, (to) => lead(to), bounds(state, clock.now())[0]);
  drawMatching(overview.summary.total_errors);
  main.toggleAttribute("data-nothing", overview.summary.total_errors === 0 && !overview.worker_errors.total && unfiltered(state));
  by("none").textContent = overview.seq ? `No errors ${inWords(counting.counted(state))}.` : "No errors yet. Report one like this:";
  by("wider").hidden = !overview.seq || widest() || counting.counted(state).from !== state.from;
  by("how").hidden = overview.seq > 0;
}

// While somebody reads, the tables above the list keep their height, so that they do not push it; they scroll.
function hold() {
  const panels = [...by("desk").children], reading = still() && main.dataset.loading === undefined;
  if (reading === Boolean(panels[0].style.height)) return;
  const heights = panels.map((panel) => (reading ? `${panel.offsetHeight}px` : ""));
  panels.forEach((panel, i) => { panel.style.height = heights[i]; });
}

// With another width, the tables need other heights. A phone that hides its bars changes only the height of the window.
function rotated() {
  if (innerWidth === width) return;
  width = innerWidth;
  for (const panel of by("desk").children) panel.style.height = "";
  hold();
}

// How many errors match; announced after a change of span or filters.
function drawMatching(count) {
  const text = `${many(count, "error")} ${inWords(counting.counted(state))}${unfiltered(state) ? "" : " match the filters"}`;
  by("matching").textContent = text;
  if (filtered) announce.say(text);
  filtered = false;
}

function hear(errors) {
  list.hear(errors);
  tell(errors);
  if (!paused()) data.soon();
}

function widest() {
  return state.range === 168 && !state.from && !state.to;
}

// Announces errors of a snapshot that the live updates missed. Errors of the first snapshot are not announced.
function news({ seq, recent_errors: recent }) {
  if (told === null) { told = seq; alarm.remember(recent); } else tell(recent);
  if (live) return;
  main.removeAttribute("data-loading");
  live = new Live({ hours: state.range, seq, hear, left, back, state: connection.socket, alive: connection.heard, verdict: verdict.take, states: stateNews.take,
    version: (its) => version.follow(its, state.wall ? version.load : version.offer) });
  if (state.wall) return; // has no charts
  charts.load().catch(() => announce.say("The charts could not be loaded; their tables are shown")); // after the numbers are on screen
}

// Announces each error once: by sound, on the desktop and, unless muted or paused, for screen readers. Errors outside the filters
// get only a sound.
function tell(errors) {
  const fresh = errors.filter((error) => error.id > told && !error.imported);
  if (!fresh.length) return;
  told = fresh.reduce((most, error) => Math.max(most, error.id), told);
  const wanted = (error) => list.wants(error), shown = fresh.filter(wanted);
  alarm.errors(fresh, wanted);
  if (shown.length) announce.tell(shown);
}

// Somebody changed the state of a pattern or worker.
function restated() {
  if (!shown || paused() || state.wall) return;
  stateNews.apply(shown);
  drawStates(shown, names, bounds(state, clock.now())[0]);
}

function left() {
  list.skip();
  data.owe();
}

function back({ anew }) {
  if (anew) { // what is shown is of another database
    told = null;
    for (const one of [list, data, compare]) one.forget();
    if (opened(state)) showView();
  }
  stateNews.again();
  data.now();
  storage.look();
}

// Removes a span or a filter that the service refuses, with a notice.
function refused({ field, message }) {
  if (SPAN.includes(field)) {
    if (counting.forget(state)) {
      notice("The moment from which you counted is after the service's clock. All is counted again.");
      return true;
    }
    const before = address(state);
    visit.go({ range: 24, from: null, to: null }, { replace: true });
    if (address(state) === before) return false;
    notice(message);
    return true;
  }
  if (!Object.keys(state.filters).length) return false;
  const { [field]: wrong, ...others } = state.filters;
  visit.go({ filters: wrong ? others : {} }, { replace: true });
  notice(message);
  return true;
}

function failed() {
  list.mark();
  by("loading").textContent = "The service does not answer. The page tries again.";
}

function done() {
  view.retry();
}

function notice(text, soonGone) {
  clearTimeout(noticeTimer);
  by("notice").textContent = text;
  if (text && !view.tell(text)) announce.say(text);
  if (text && soonGone) noticeTimer = setTimeout(() => notice(""), NOTICE_MS);
}

function setFilter(name, values, how) {
  const filters = { ...state.filters, [name]: values };
  if (!values.length) delete filters[name];
  return visit.go({ filters }, how);
}

// Scrolls to the list, after a click elsewhere on the page that changes it.
function toList() {
  by("errors-title").focus({ preventScroll: true });
  by("list").scrollIntoView({ block: "start" });
}

// Goes to a part of the page. The address does not name it: on each step back, the browser would move the focus there again.
function jump(event, title) {
  event.preventDefault();
  title.focus({ preventScroll: true });
  title.scrollIntoView({ block: "start" });
}

// Follows `to`. With `stay`, what was excluded leaves no gap under the reader: the focus moves to its chip, from where it can be
// brought back.
function lead(to, stay = false) {
  visit.there(() => {
    const before = JSON.stringify(state.filters);
    visit.follow(to);
    if (JSON.stringify(state.filters) === before || opened(state)) return;
    if (stay) by("chips").querySelector(".chip:last-child .remove")?.focus({ preventScroll: true }); else toList();
  });
}

// Follows a link to another state of this page without loading it again, so that live updates and sound continue.
function followHere(event) {
  const pick = event.target.closest?.(".only, .not"); // its address may be of the state before the last step
  if (pick?.matches(".only")) return lead(names.narrowed(pick.dataset.field, pick.dataset.value));
  if (pick) return lead(names.without(pick.dataset.field, pick.dataset.value), true);
  const part = event.target.closest?.("#jump a, .skip");
  if (part) return jump(event, document.querySelector(part.getAttribute("href")));
  const link = event.target.closest?.('a[href^="?"]');
  if (state.wall) return; // links lead away from the wall
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  lead(link.getAttribute("href"));
}

// The reader chose, here or in another tab, from when is counted.
function recount() {
  counting.draw(state);
  data.now();
}

function widen(change) {
  visit.go(change);
  by("errors-title").focus({ preventScroll: true });
}

// Adds a token to the example, if the service needs one.
function withToken(needed) {
  if (needed) by("example").textContent = EXAMPLE.replace("  -d", '  -H "Authorization: Bearer $ERROR_VISUALIZATION_TOKEN" \\\n  -d');
}

function bind() {
  stateNews.bind({ onChange: restated, onUnsure: (changes) => { if (!paused() && shown && !(changes && !stateNews.differs(shown, changes))) data.soon(); } });
  layout.bind();
  bindNewOnly(state);
  overTime.bind((begin, end) => visit.go(stateOf([begin, end], clock.now())), () => visit.go(wider(state, clock.now())));
  by("example").textContent = EXAMPLE;
  by("example").after(copy("Copy", () => by("example").textContent));
  bindTheme(charts.redraw);
  drawSound = soundSettings.bind(alarm, announce.say, (text) => notice(text, true));
  announce.silence(() => paused() || alarm.isMuted("all"));
  wall.offer(state);
  counting.bind(recount, (text) => notice(text, true));
  bindMenu();
  bindFilters(setFilter);
  filterField.bind(state, (field, value, out) => visit.go({ filters: (out ? excluding : including)(state.filters, field, value) }),
    (text) => setFilter("q", [text].filter(Boolean)));
  bindReset((text) => { notice(text, true); data.soon(0); });
  notify.bind();
  onRest(() => { if (!still()) hold(); list.settle(); });
  addEventListener("resize", rotated);
  by("widen").onclick = () => widen({ filters: {}, ...WIDEST });
  by("widen-range").onclick = () => widen(WIDEST);
  by("pause").onchange = () => {
    connection.paused(paused());
    verdict.onPause();
    if (!paused()) { list.takeWaiting(); data.soon(0); }
  };
  by("help").onclick = () => by("help-dialog").showModal();
  document.addEventListener("click", followHere);
  for (const [where, what] of [[window, "online"], [document, "visibilitychange"]]) {
    where.addEventListener(what, () => {
      storage.look();
      machines.look(names.view);
      if (!document.hidden && live) { live.wake(); data.now(); }
    });
  }
  const step = (by_) => {
    const links = [...document.querySelectorAll("#errors a.message")];
    links[Math.min(Math.max(links.indexOf(document.activeElement) + by_, 0), links.length - 1)]?.focus();
  };
  bindKeys({
    "/": () => by("q").focus(), j: () => step(1), k: () => step(-1), m: () => by("mute").click(),
    p: () => by("pause").click(), "?": () => by("help").click(),
  });
}

bind();
if (state.wall) wall.begin(state, alarm);
show(null);
verdict.watch(paused, (colour) => { if (state.wall) wall.paint(colour); }, (given) => alarm.verdict(given));
storage.watch(paused);
machines.watch(paused, names.view);
session.show().then(withToken).catch(() => {}); // the requests for the data say what is wrong
