// The verdict: how bad it is now, as the service says. The page decides only whether it may still be believed: a sentence that
// may be old loses its colour, is dated, and says why.

import * as announce from "./announce.js";
import { ask } from "./api.js";
import { SECONDS, formatted } from "./dates.js";
import { element, replace, time } from "./dom.js";
import { after, age } from "./judged.js";
import { address, parse, read } from "./state.js";

const FRESH_MS = 10_000; // a colour is shown as long after the service said so
const LATE_MS = 6_000; // the service says it every 5 s; later than this it is asked
const TICK_MS = 1_000, ASK_MS = 5_000;
const END = /[:;,](?= )/;
const NEWEST = /^\/api\/errors\/\d+$/; // the last of these links
const ICONS = { critical: "▲", warning: "◆", calm: "●", unknown: "○" };

const SIZES = [1, 0.85, 0.72, 0.62, 0.53, 0.45, 0.38, 0.32, 0.27, 0.23]; // of the sentence on a wall, which shows all of it

const by = (id) => document.getElementById(id);
// `known` is the newest verdict, `said` the one that is shown: a pause keeps it.
let known = null, said = null, askedAt = -Infinity, wasPaused = false, paused = () => false, shown = "", announced = null;
let changed = () => {}, hear = () => {};

// `isPaused()` returns whether the reader paused the page. `onChange(colour, verdict)` is called when the shown colour changes,
// `onVerdict(verdict)` with each verdict that is about now, also while the page is paused.
export function watch(isPaused, onChange, onVerdict) {
  [paused, changed, hear] = [isPaused, onChange, onVerdict];
  setInterval(tick, TICK_MS);
  by("whole").onclick = () => { by("headline").toggleAttribute("data-open"); fit(); };
  addEventListener("resize", fit);
  document.addEventListener("visibilitychange", tick);
  tick();
}

// A verdict of the service: the answer to a request that began at `began`, or without it a message of the WebSocket. One that was
// judged before the known one changes nothing.
export function take(verdict, began = null) {
  const before = known, now = clocks();
  known = after(before, verdict, { began, arrived: now });
  if (known === before) return;
  if (age(known, now) <= FRESH_MS) hear(verdict);
  if (paused() && said) return;
  said = known;
  wasPaused = false;
  draw();
  if (age(known, now) > LATE_MS) tick();
}

// The reader paused the page, or ended the pause: then the newest verdict is shown at once.
export function onPause() {
  wasPaused = !paused();
  if (wasPaused) said = known;
  tick();
}

function clocks() {
  return [performance.now(), Date.now()];
}

// Draws, and asks the service where it has not said anything for too long. Called every second; more often does no harm.
export async function tick() {
  draw();
  const began = clocks();
  if (document.hidden || paused() || age(known, began) < LATE_MS || began[0] - askedAt < ASK_MS) return;
  askedAt = began[0];
  try { take(await ask("/api/verdict"), began); } catch { /* the sentence loses its colour by itself */ }
  wasPaused = false;
}

// Why the sentence may not hold any more; "" if it does.
function doubt() {
  if (paused()) return "the page is paused";
  if (age(said, clocks()) <= FRESH_MS) return "";
  return wasPaused ? "the page was paused" : "the service does not answer";
}

// Draws what has changed; also called when the page shows another span, to which the links lead.
export function draw() {
  const verdict = said?.verdict, why = doubt(), colour = !verdict || why ? "unknown" : verdict.colour;
  const looks = verdict ? inOrder(verdict) : [];
  const next = JSON.stringify([colour, why, verdict?.pieces, looks.map(place), new Date().toDateString()]);
  if (next === shown) return;
  const before = by("headline").dataset.colour;
  shown = next;
  by("headline").dataset.colour = colour;
  by("verdict").replaceChildren(element("span", { class: "mark", "aria-hidden": "true" }, ICONS[colour]), " ",
    ...verdict ? sentence(verdict, why) : ["Not known yet"]);
  by("doubt").replaceChildren(...why && verdict ? ["as of ", dated(verdict.as_of), ` · ${why}`] : []);
  replace(by("look"), ...looks.length ? ["Look first: ", ...looks.flatMap(look)] : []);
  fit();
  if (verdict) tell(colour, why);
  if (before !== colour) changed(colour, verdict);
}

// Announces another colour; of a critical one only the head, because the error itself is announced, too. Not the first one, and
// not what a lost connection explains, which is announced by itself.
function tell(colour, why) {
  if (colour === announced || (why && (paused() || by("connection").dataset.state === "lost"))) return;
  const first = announced === null, head = by("verdict").querySelector("strong");
  announced = colour;
  if (first) return;
  const words = [...by("verdict").childNodes].slice(1).map((node) => node.textContent).join("").trim();
  announce.remark(colour === "critical" ? head.textContent : [words, by("doubt").textContent].filter(Boolean).join(" "));
}

// The sentence, with its head emphasised: what comes before the first ":", ";" or ",".
function sentence(verdict, why) {
  const head = [], rest = [];
  if (why) head.push(verdict.colour === "calm" ? "Not known now: " : "As of then: ");
  for (const { text, time: at } of verdict.pieces) {
    const end = rest.length || at ? -1 : text.search(END);
    if (rest.length || end < 0) (rest.length ? rest : head).push(at ? time(at) : text);
    else { head.push(text.slice(0, end)); rest.push(text.slice(end)); }
  }
  return [element("strong", {}, ...head), ...rest];
}

// Where the sentence is cut on a small screen, a button shows all of it. On a wall, where nobody presses it, a long sentence is
// smaller.
function fit() {
  const box = by("headline"), open = box.hasAttribute("data-open"), verdict = by("verdict");
  const isCut = () => verdict.scrollHeight > verdict.clientHeight + 1;
  verdict.style.removeProperty("--size");
  verdict.removeAttribute("data-long"); // does not fit by any size
  if ("wall" in document.documentElement.dataset) {
    for (const size of SIZES) {
      verdict.style.setProperty("--size", size);
      if (!isCut()) break;
    }
    verdict.toggleAttribute("data-long", isCut());
  }
  by("whole").hidden = !open && !isCut();
  by("whole").textContent = open ? "less" : "more";
  by("whole").setAttribute("aria-expanded", String(open));
}

// The newest critical error first: its traceback is what people ask for, and a phone shows only the first link without a tap.
function inOrder({ rule, look_first: looks }) {
  const newest = ["critical", "recovering"].includes(rule) ? looks.findLast(({ api }) => NEWEST.test(api)) : null;
  return newest ? [newest, ...looks.filter((one) => one !== newest)] : looks;
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
  const text = formatted(date, { weekday: "short", day: "numeric", month: "short", ...SECONDS });
  return element("time", { datetime: iso, title: iso }, text);
}
