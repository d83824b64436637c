// Spans of time in words, in the reader's zone and clock.

import { now } from "./clock.js";
import { CLOCK, formatted } from "./dates.js";
import { present } from "./span_steps.js";
import { RANGES } from "./state.js";
import { twice, zone } from "./wall_time.js";

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

// The span of the page as the end of a sentence, such as "in the last 24 h". With `dated` the day is named also if it is today:
// where the words are not drawn again after midnight, they would name another day without it.
export function inWords({ range, from, to }, dated = false) {
  const one = (iso) => day(iso, dated);
  if (from && to) return `from ${one(from)} to ${dated && sameDay(new Date(from), new Date(to)) ? formatted(new Date(to), CLOCK) : one(to)}`;
  if (from) return `since ${one(from)}`;
  return to ? `in the ${lasting(range)} before ${one(to)}` : `in the last ${lasting(range)}`;
}

// The span as a button shows it, such as "22:00–06:00", with a date where the day is not today.
export function short({ range, from, to }) {
  if (!from && !to) return `last ${lasting(range)}`;
  if (!from) return `${lasting(range)} before ${day(to)}`;
  if (!to) return `since ${day(from)}`;
  const [begin, end] = [new Date(from), new Date(to)];
  if (sameDay(begin, end) || isToday(end)) return `${day(from)}–${formatted(end, CLOCK)}`;
  return `${day(from)} – ${day(to)}`;
}

// Both ends with their dates, and the length; with offsets from UTC if they differ.
export function exact(state, at = now()) {
  const [begin, end] = present(state, at);
  const zones = zone(begin) !== zone(end);
  const one = (ms) => moment(ms, zones || twice(ms));
  return `${one(begin)} – ${state.to ? one(end) : "now"} · ${duration(end - begin)}`;
}

// A moment with its day, also today's, and with its offset from UTC if the same time comes twice that day.
export function moment(ms, withZone = twice(ms), seconds = false) {
  const date = new Date(ms);
  const text = formatted(date, { weekday: "short", day: "numeric", month: "short", ...yearOf(date), ...CLOCK, ...seconds && { second: "2-digit" } });
  return withZone ? `${text} ${zone(ms)}` : text;
}

export function lasting(hours) {
  return RANGES[hours] ?? (hours % 24 ? `${hours} h` : `${hours / 24} d`);
}

// A length in its two largest units, such as "1 d 2 h".
export function duration(ms) {
  let rest = Math.round(ms / 1000) * 1000;
  const parts = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 s";
}

// A time with its date, unless that is today and not `dated`.
function day(iso, dated = false) {
  const date = new Date(iso);
  return formatted(date, { ...(dated || !isToday(date)) && { weekday: "short", day: "numeric", month: "short", ...yearOf(date) }, ...CLOCK });
}

function isToday(date) {
  return sameDay(date, new Date(now()));
}

function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

function yearOf(date) {
  return date.getFullYear() !== new Date(now()).getFullYear() && { year: "numeric" };
}
