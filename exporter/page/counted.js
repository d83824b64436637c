// A reader may let the counts start anew: their page then shows nothing of before that moment, in each of its tabs. Nothing is
// deleted, other readers see no change, and it can be undone. A span with a beginning or an end of its own shows all of it.

import * as clock from "./clock.js";
import { element, time } from "./dom.js";
import { Shared } from "./shared.js";

const HOUR_MS = 3_600_000, CLOCKS_MS = 60_000; // the clocks of two tabs differ by less
const by = (id) => document.getElementById(id);

let changed = () => {};
const shared = new Shared("counted", {}, { merge: later, changed: () => changed() });

// Returns of two choices the later one; each is `{since, before, at}`: from when, from when before that, chosen when.
export function later(one, other) {
  const [a, b] = [valid(one), valid(other)];
  if (a.at !== b.at) return a.at > b.at ? a : b;
  return JSON.stringify(a) > JSON.stringify(b) ? a : b;
}

function valid({ since, before, at }) {
  const moment = (text) => (typeof text === "string" && Number.isFinite(Date.parse(text)) ? text : null);
  return { since: moment(since), before: moment(before), at: Number.isFinite(at) ? at : 0 };
}

// Returns the state with the span that is counted.
export function counted(state) {
  return within(state, shared.value.since, clock.now());
}

export function within(state, since, now) {
  const at = Date.parse(since ?? NaN); // it is after now if clocks were set back
  const isLater = !state.from && !state.to && at > now - state.range * HOUR_MS && at < now + CLOCKS_MS;
  return isLater ? { ...state, from: since } : state;
}

// Adds the controls. `onChange()` is called when another span is counted, `notice(text)` shows a text for a while.
export function bind(onChange, notice) {
  changed = onChange;
  const start = element("button", { type: "button", id: "count-anew" }, "Start my counts anew");
  by("reset").before(start);
  by("since").after(element("p", { id: "counted", class: "quiet" }));
  const choose = (how) => {
    shared.change((old) => ({ ...how(old), at: Math.max(Date.now(), old.at + 1) }));
    changed();
  };
  start.onclick = () => {
    choose((old) => ({ since: new Date(clock.now()).toISOString(), before: old.since }));
    notice("Your counts start anew. Nothing was deleted, and other readers see no change.");
  };
  by("counted").onclick = (event) => {
    if (event.target.id !== "count-undo") return;
    choose((old) => ({ since: old.before, before: null }));
    notice("All is counted again.");
  };
}

// Forgets from when is counted, which the service refuses: it is after its clock. Returns whether there was such a moment.
export function forget(state) {
  if (counted(state) === state) return false;
  shared.change((old) => ({ since: null, before: null, at: Math.max(Date.now(), old.at + 1) }));
  changed();
  return true;
}

// Shows from when is counted, and how to undo that. The focus of a button that goes moves to the one in its place, or to the list.
export function draw(state) {
  const { from } = counted(state), since = from === state.from ? null : from, place = by("counted");
  if (place.dataset.says === String(since)) return;
  place.dataset.says = String(since);
  const focused = place.contains(document.activeElement);
  place.replaceChildren(...since ? ["Counts since ", time(since), " ", element("button", { type: "button", id: "count-undo" }, "Undo")] : []);
  if (focused) (by("count-undo") ?? by("errors-title")).focus({ preventScroll: true });
}
