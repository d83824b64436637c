// Spans next to a span: before, after, around it, and the one to compare with. All of them in milliseconds; a span that ends now
// ends never (Infinity).

import { MOST_HOURS } from "./span_text.js";
import { sameTime, wall } from "./wall_time.js";

const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS;
export const COMPARED = { before: "the span before", yesterday: "the same hours yesterday" };

// The span as it is at `now`, as [begin, end].
export function present({ range, from, to }, now) {
  const end = to ? Date.parse(to) : now;
  return [from ? Date.parse(from) : end - range * HOUR_MS, end];
}

// What the state needs for that span.
export function stateOf([begin, end], now) {
  return { from: new Date(begin).toISOString(), to: end >= now ? null : new Date(end).toISOString() };
}

// The span as long before. Whole days stay whole days, also those of 23 or 25 hours.
export function before(state, now) {
  const [begin, end] = present(state, now), days = wholeDays(begin, end);
  return stateOf([days ? sameTime(begin, -days) : begin - (end - begin), begin], now);
}

// The span as long after; null if the span ends now.
export function after(state, now) {
  const [begin, end] = present(state, now), days = wholeDays(begin, end);
  return end >= now ? null : stateOf([end, days ? sameTime(end, days) : end + (end - begin)], now);
}

// Twice as long around the same middle; if that would end after now, it ends now. What ends now stays relative to now.
export function wider(state, now) {
  if (!state.from && !state.to) return { range: Math.min(state.range * 2, MOST_HOURS), from: null, to: null };
  const [begin, end] = present(state, now), length = Math.min(2 * (end - begin), MOST_HOURS * HOUR_MS);
  const last = Math.min((begin + end + length) / 2, now);
  return stateOf([last - length, last], now);
}

// The span that `how`, "before" or "yesterday", compares with, as {begin, end, there}; `there(ms)` is the moment in it that is
// compared with `ms`: at the same time of the wall's clock, if the spans are days apart.
export function compared(state, how, now) {
  const [begin, end] = present(state, now), apart = how === "yesterday" ? daysApart(begin, end) : wholeDays(begin, end);
  const there = apart ? (ms) => sameTime(ms, -apart) : (ms) => ms - (end - begin);
  return { begin: there(begin), end: how === "yesterday" ? there(end) : begin, there };
}

function daysApart(begin, end) {
  const length = Math.min(end - begin, wall(end) - wall(begin)); // a day may have 23 or 25 hours
  return Math.max(1, Math.ceil(length / DAY_MS));
}

// The number of days, if the wall's clock shows the same time at both ends; else 0.
function wholeDays(begin, end) {
  const length = wall(end) - wall(begin);
  return length > 0 && length % DAY_MS === 0 ? length / DAY_MS : 0;
}
