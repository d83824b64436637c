// The verdict: how bad it is now, as the service says. The page decides only whether it may still be believed: a sentence that
// may be old loses its colour, is dated, and says why.

import { ask } from "./api.js";
import { element, replace, time } from "./dom.js";
import { address, parse, read } from "./state.js";

const FRESH_MS = 10_000; // a colour is shown as long after the service said so
const LATE_MS = 6_000; // the service says it every 5 s; later than this it is asked
const TICK_MS = 1_000, ASK_MS = 5_000;
const END = /[:;,](?= )/;
const ICONS = { critical: "▲", warning: "◆", calm: "●", unknown: "○" };

const by = (id) => document.getElementById(id);
let said = null, cameAt = [], askedAt = -Infinity, paused = () => false, shown = "", changed = () => {}, hear = () => {};

// `isPaused()` returns whether the reader paused the page. `onChange(colour, verdict)` is called when the shown colour changes,
// `onVerdict(verdict)` with each verdict, also while the page is paused.
export function watch(isPaused, onChange, onVerdict) {
  [paused, changed, hear] = [isPaused, onChange, onVerdict];
  setInterval(tick, TICK_MS);
  by("whole").onclick = () => { by("headline").toggleAttribute("data-open"); fit(); };
  addEventListener("resize", fit);
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

// Draws what has changed; also called when the page shows another span, to which the links lead.
export function draw() {
  const why = doubt(), colour = !said || why ? "unknown" : said.colour;
  const next = JSON.stringify([colour, why, said?.pieces, said?.look_first.map(place), new Date().toDateString()]);
  if (next === shown) return;
  const before = by("headline").dataset.colour;
  shown = next;
  by("headline").dataset.colour = colour;
  by("verdict").replaceChildren(element("span", { class: "mark", "aria-hidden": "true" }, ICONS[colour]), " ",
    ...said ? sentence(why) : ["Not known yet"]);
  by("doubt").replaceChildren(...why && said ? ["as of ", dated(said.as_of), ` · ${why}`] : []);
  replace(by("look"), ...said?.look_first.length ? ["Look first: ", ...said.look_first.flatMap(look)] : []);
  fit();
  if (before !== colour) changed(colour, said);
}

// The sentence, with its head emphasised: what comes before the first ":", ";" or ",".
function sentence(why) {
  const head = [], rest = [];
  if (why) head.push(said.colour === "calm" ? "Not known now: " : "As of then: ");
  for (const { text, time: at } of said.pieces) {
    const end = rest.length || at ? -1 : text.search(END);
    if (rest.length || end < 0) (rest.length ? rest : head).push(at ? time(at) : text);
    else { head.push(text.slice(0, end)); rest.push(text.slice(end)); }
  }
  return [element("strong", {}, ...head), ...rest];
}

// Where the sentence is cut on a small screen, a button shows all of it.
function fit() {
  const box = by("headline"), open = box.hasAttribute("data-open");
  by("whole").hidden = !open && by("verdict").scrollHeight <= by("verdict").clientHeight + 1;
  by("whole").textContent = open ? "less" : "more";
  by("whole").setAttribute("aria-expanded", String(open));
}

function look(one, i) {
  return [i ? " · " : "", element("a", { href: place(one) }, one.text)];
}

// Where a link of the service leads: to what it names, in the span that the page shows, unless that has ended.
function place({ page }) {
  const here = read(), { filters, error } = parse(new URL(page, location.href).search);
  const span = here.to ? { range: 24, from: null, to: null } : here;
  return address({ ...span, filters, error });
}

// Always with the date: who reads this may have been away for days.
function dated(iso) {
  const date = new Date(iso);
  const text = date.toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return element("time", { datetime: iso, title: iso }, text);
}
