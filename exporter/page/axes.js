// The labels of axes: whole numbers, and times in the reader's zone. Days begin at midnight there, whatever the buckets; an hour
// that exists twice is labelled with its offsets.

import { CLOCK, formatted } from "./dates.js";
import { mod, moments, wall, zone } from "./wall_time.js";

const MINUTE_MS = 60_000, DAY_MS = 86_400_000;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200, 129_600, 525_600, 1_051_200, 2_628_000, 5_256_000].map((minutes) => minutes * MINUTE_MS);
const LEAST_PX = 76;

// Returns labels between two moments for an axis so many pixels wide: {at, text, note, midnight}. `note` is a second line: the
// day where it begins, the offset where the same time comes twice.
export function ticks(begin, end, width) {
  const most = Math.max(1, Math.floor(width / LEAST_PX));
  const step = STEPS.find((one) => (end - begin) / one <= most) ?? STEPS.at(-1);
  const found = new Map(), days = step >= DAY_MS;
  const start = wall(begin);
  for (let shown = start - mod(start, Math.min(step, DAY_MS)); shown <= wall(end) + 2 * DAY_MS && found.size <= most + 2; shown += step) {
    const { first, last } = moments(shown);
    for (const at of [first, last]) if (at >= begin && at <= end) found.set(at, { at, twice: first !== last });
    if (first > end) break;
  }
  let day = "";
  return [...found.values()].sort((a, b) => a.at - b.at).map(({ at, twice }) => {
    const date = new Date(at), name = dayName(date, end - begin), midnight = wall(at) % DAY_MS === 0;
    const text = days ? formatted(date, { day: "numeric", month: "short" }) : formatted(date, CLOCK);
    const notes = days ? [end - begin > 200 * DAY_MS ? date.getFullYear() : formatted(date, { weekday: "short" })]
      : [...name === day ? [] : [name], ...twice ? [zone(at)] : []];
    day = name;
    return { at, text, note: notes.join(" "), midnight };
  });
}

function dayName(date, length) {
  return formatted(date, { weekday: "short", day: "numeric", month: "short", ...length > 200 * DAY_MS && { year: "numeric" } });
}

// Round numbers for an axis of whole numbers from 0 to `highest`.
export function scale(highest) {
  const size = 10 ** Math.floor(Math.log10(Math.max(1, highest) / 4));
  const step = Math.max(1, [1, 2, 5, 10].map((one) => one * size).find((one) => one * 4 >= highest));
  return { most: Math.max(1, Math.ceil(highest / step)) * step, step };
}
