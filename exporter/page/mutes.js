// What is muted until when, and how the mutes of two tabs become one. Pure functions; all times are milliseconds of the
// reader's clock. `mutes` maps a name to `{until, at}`: it is muted until `until`, null for no end; somebody said so at `at`.

import { CLOCK, formatted } from "./dates.js";

export const NAMES = ["all", "critical", "warning", "info", "recovered"];
const MINUTE_MS = 60_000, MORNING = 8;

// The ends to choose from at `now`: `[value, words, until]`.
export function ends(now) {
  const early = new Date(now).getHours() < MORNING, today = morning(now, 0), tomorrow = morning(now, 1);
  return [
    ["quarter", "for 15 min", now + 15 * MINUTE_MS], ["hour", "for 1 h", now + 60 * MINUTE_MS],
    ...early ? [["today", `until today ${formatted(today, CLOCK)}`, today]] : [],
    ["tomorrow", `until tomorrow ${formatted(tomorrow, CLOCK)}`, tomorrow], ["open", "until I turn it on", null],
  ];
}

function morning(now, days) {
  const date = new Date(now);
  date.setDate(date.getDate() + days);
  return date.setHours(MORNING, 0, 0, 0);
}

export function isMuted(mutes, name, now) {
  const until = mutes[name]?.until;
  return until === null || until > now;
}

// Returns `mutes` with another end for `name`; `until` 0 ends the mute.
export function muted(mutes, name, until, now) {
  return { ...mutes, [name]: { until, at: Math.max(now, (mutes[name]?.at ?? 0) + 1) } };
}

// Returns, for each name, what was said last. What is no mute is left out, whoever wrote it.
export function merge(one, other) {
  const both = NAMES.map((name) => [name, later(valid(one, name), valid(other, name))]);
  return Object.fromEntries(both.filter(([, mute]) => mute));
}

function later(a, b) {
  if (!a || !b) return a ?? b;
  if (a.at !== b.at) return a.at > b.at ? a : b;
  return (a.until ?? Infinity) >= (b.until ?? Infinity) ? a : b; // both tabs must choose the same one
}

function valid(mutes, name) {
  const { until, at } = mutes?.[name] ?? {};
  return Number.isFinite(at) && (until === null || Number.isFinite(until)) ? { until, at } : null;
}

// The mutes of earlier versions of the page: a list of names without an end.
export function ofList(names) {
  return Object.fromEntries(NAMES.filter((name) => names.includes(name)).map((name) => [name, { until: null, at: 0 }]));
}
