// The verdict: how bad it is now, as the service says. The page decides only whether it may still be believed: a sentence that
// may be old loses its colour, is dated, and says why.

import { ask } from "./api.js";
import { element, replace, time } from "./dom.js";

const FRESH_MS = 10_000; // a colour is shown as long after the service said so
const LATE_MS = 6_000; // the service says it every 5 s; later than this it is asked
const TICK_MS = 1_000, ASK_MS = 5_000;
const ICONS = { critical: "▲", warning: "◆", calm: "●", unknown: "○" };

const by = (id) => document.getElementById(id);
let said = null, cameAt = [], askedAt = -Infinity, paused = () => false, shown = "", changed = () => {}, hear = () => {};

// `isPaused()` returns whether the reader paused the page. `onChange(colour, verdict)` is called when the shown colour changes,
// `onVerdict(verdict)` with each verdict, also while the page is paused.
export function watch(isPaused, onChange, onVerdict) {
  [paused, changed, hear] = [isPaused, onChange, onVerdict];
  setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", tick);
  tick();
}

// A verdict of the service; of two, the one that was judged later counts, unless its clock was set back.
export function take(verdict) {
  hear(verdict);
  if (paused() && said) return;
  said = verdict;
  cameAt = clocks();
  draw();
}

// Both clocks, because the first stands still while a computer sleeps, and the second may be set.
function clocks() {
  return [performance.now(), Date.now()];
}

function age() {
  return said ? Math.max(...clocks().map((clock, i) => Math.abs(clock - cameAt[i]))) : Infinity;
}

async function tick() {
  draw();
  if (document.hidden || paused() || age() < LATE_MS || performance.now() - askedAt < ASK_MS) return;
  askedAt = performance.now();
  try { take(await ask("/api/verdict")); } catch { /* the sentence loses its colour by itself */ }
}

// Why the sentence may not hold any more; "" if it does.
function doubt() {
  if (paused()) return "the page is paused";
  return age() > FRESH_MS ? "the service does not answer" : "";
}

function draw() {
  const why = doubt(), colour = !said || why ? "unknown" : said.colour;
  const next = JSON.stringify([colour, why, said?.pieces, said?.look_first]);
  if (next === shown) return;
  const before = by("headline").dataset.colour;
  shown = next;
  by("headline").dataset.colour = colour;
  by("verdict").replaceChildren(element("span", { class: "icon", "aria-hidden": "true" }, ICONS[colour]), " ",
    ...said ? [...why ? [said.colour === "calm" ? "Not known now: " : "As of then: "] : [], ...said.pieces.map(piece)] : ["Not known yet"]);
  by("doubt").replaceChildren(...why && said ? ["as of ", dated(said.as_of), ` · ${why}`] : []);
  replace(by("look"), ...said?.look_first.length ? ["Look first: ", ...said.look_first.flatMap(look)] : []);
  if (before !== colour) changed(colour, said);
}

function piece({ text, time: at }) {
  return at ? time(at) : text;
}

function look({ text, page }, i) {
  return [i ? " · " : "", element("a", { href: page.slice(page.indexOf("?")) }, text)];
}

// Always with the date: who reads this may have been away for days.
function dated(iso) {
  const date = new Date(iso);
  const text = date.toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return element("time", { datetime: iso, title: iso }, text);
}
