// Spans of time in words.

import { now } from "./clock.js";
import { RANGES } from "./state.js";

// The span of the page as the end of a sentence, such as "in the last 24 h".
export function inWords({ range, from, to }) {
  if (from && to) return `from ${day(from)} to ${day(to)}`;
  if (from) return `since ${day(from)}`;
  return to ? `in the ${RANGES[range]} before ${day(to)}` : `in the last ${RANGES[range]}`;
}

// A time with its date, unless that is today.
function day(iso) {
  const date = new Date(iso), today = date.toDateString() === new Date(now()).toDateString();
  const year = date.getFullYear() !== new Date(now()).getFullYear() && { year: "numeric" };
  return date.toLocaleString([], { ...today || { weekday: "short", day: "numeric", month: "short", ...year }, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
