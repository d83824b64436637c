// The page on a wall (`?wall`): verdict, a few numbers, the newest critical errors and the top patterns, readable from four metres.
// Nobody touches it: it keeps the screen on, connects again, loads new versions, and its lists have a fixed length. Links leave it.

import { aged, ask, query } from "./api.js";
import { keepAwake } from "./awake.js";
import * as clock from "./clock.js";
import { counted } from "./counted.js";
import { CLOCK, formatted } from "./dates.js";
import { ago, element, time } from "./dom.js";
import { fold } from "./match.js";
import * as notify from "./notify.js";
import { inWords } from "./span.js";
import { address } from "./state.js";
import * as verdict from "./verdict.js";

const ROWS = 6, FETCHED = 100, MAX_AGE = 1, TICK_MS = 1000, IDLE_MS = 5000, MOST_TEXT = 300;
const NUMBERS = [["critical", "critical_errors"], ["warning", "warning_errors"], ["all errors", "total_errors"]];
const AWAKE = {
  true: "", false: "The browser lets the screen go dark.",
  null: "The browser keeps the screen on only for pages over HTTPS; set the screen to stay on.",
};
const BLOCKED = "This browser makes no sound until somebody clicks or presses a key here. For a wall without either, allow sound for this "
  + "address in its settings, or start it with --autoplay-policy=no-user-gesture-required.";

const by = (id) => document.getElementById(id);
let state = null, alarm = null, awake = true, asked = 0;

// Adds a link to the wall to the settings.
export function offer(given) {
  const link = element("a", { id: "to-wall", href: "/error-visualization?wall" }, "Show on a wall");
  link.onclick = () => { link.href = `/error-visualization${address({ ...given, error: null, view: null, wall: true })}`; };
  by("help").after(link);
}

// Turns the page into a wall.
export function begin(given, makes) {
  [state, alarm] = [given, makes];
  document.documentElement.dataset.wall = "";
  Object.assign(by("pause"), { checked: false, disabled: true }); // nobody would see why the wall stands still
  by("headline").after(element("section", { id: "wall", "aria-label": "Wall" },
    element("dl", { id: "wall-numbers" }),
    element("div", { id: "wall-lists" },
      element("div", {}, element("h2", {}, "Newest critical errors"), element("ol", { id: "wall-critical" })),
      element("div", {}, element("h2", {}, "Top patterns"), element("ol", { id: "wall-patterns" }))),
    element("div", { id: "wall-notes" }, element("p", { id: "wall-span" }), element("p", { id: "wall-sound" }), element("p", { id: "wall-screen" }),
      element("a", { id: "wall-leave", href: address({ ...state, wall: false }) }, "Leave the wall"))));
  document.querySelector("header").append(element("p", { id: "wall-clock" }));
  for (const what of ["click", "keydown"]) document.addEventListener(what, () => alarm.sound.turnOn());
  keepAwake((is) => { awake = is; note(); });
  setInterval(tick, TICK_MS);
  watchHidden();
  idle();
  tick();
  paint(by("headline").dataset.colour);
  note();
  alarm.sound.prepare();
}

export const paint = notify.paint;

export function draw(overview) {
  const numbers = [...NUMBERS.map(([name, key]) => [name, overview.summary[key].toLocaleString()]),
    ["workers", overview.worker_errors.with_errors.toLocaleString()]];
  by("wall-numbers").replaceChildren(...numbers.map(([name, count]) => element("div", { class: count === "0" ? "" : name },
    element("dt", {}, name), element("dd", {}, count))));
  by("wall-patterns").replaceChildren(...rows(overview.error_patterns.top_patterns.slice(0, ROWS).map((row) => line(
    { pattern: [row.pattern_id] }, row.pattern, element("strong", {}, `${row.occurrences.toLocaleString()}×`),
    `${row.workers.toLocaleString()} ${row.workers === 1 ? "worker" : "workers"} · `, ago(row.last_seen)))));
  by("wall-span").textContent = [`Counted ${inWords(counted(state))}`, ...filters()].join(" · ");
  critical();
}

// The newest critical errors, each pattern on a worker once. An answer that a later one has overtaken is not drawn.
async function critical() {
  const mine = ++asked;
  const place = query({ ...state, filters: { ...state.filters, severity: ["critical"] } }, { limit: FETCHED });
  const found = await ask(`/api/errors/list?${place}`, aged(MAX_AGE)).catch(() => null); // the headline says that no answer comes
  if (!found || mine !== asked) return;
  by("wall-critical").replaceChildren(...rows(fold(found.errors).slice(0, ROWS).map(({ error, count }) => line(
    { pattern: [error.pattern_id], worker: [error.worker_id] }, error.message || error.type,
    element("strong", {}, error.worker_id), count > 1 ? `×${count.toLocaleString()}${found.next_cursor && count === FETCHED ? "+" : ""} · ` : "", time(error.timestamp)))));
}

function line(chosen, text, name, ...more) {
  const to = address({ ...state, wall: false, error: null, view: null, filters: chosen });
  return element("li", {}, element("p", { class: "about" }, name, " ", ...more),
    element("a", { href: to, class: "message" }, text.replaceAll(/\s+/g, " ").slice(0, MOST_TEXT)));
}

const rows = (made) => (made.length ? made : [element("li", { class: "quiet" }, "none")]);

function filters() {
  return Object.entries(state.filters).map(([name, values]) => `${name.endsWith("!") ? `not ${name.slice(0, -1)}` : name}: ${values.join(", ").slice(0, 60)}`);
}

function tick() {
  by("wall-clock").textContent = formatted(new Date(clock.now()), CLOCK);
}

// Title and icon of a hidden wall lose their colour in time, too.
function watchHidden() {
  try {
    new Worker("/static/ticks.js").onmessage = () => { if (document.hidden) verdict.tick(); };
  } catch { /* its own timers do it, a minute late at most */ }
}

// Says what keeps the wall from being heard or seen.
export function note() {
  if (!by("wall-sound")) return;
  const sound = alarm.lead.another ? "Another tab of this browser makes the sounds." : alarm.sound.blocked ? BLOCKED : "";
  by("wall-sound").textContent = sound;
  by("wall-sound").toggleAttribute("data-blocked", sound === BLOCKED);
  by("wall-screen").textContent = AWAKE[awake];
}

// Hides pointer and controls until the pointer moves.
function idle() {
  let timer = 0;
  const rest = () => { document.documentElement.dataset.wall = "idle"; };
  for (const what of ["pointermove", "keydown", "focusin"]) {
    document.addEventListener(what, () => {
      document.documentElement.dataset.wall = "";
      clearTimeout(timer);
      timer = setTimeout(rest, IDLE_MS);
    });
  }
  timer = setTimeout(rest, IDLE_MS);
}
