// Reads a text such as "last night 22–06" as a span of time, in the reader's zone.
//
//   text    = "last" number unit | "last night" [span of hours] | "since" moment | moment | moment "–" moment
//   moment  = ISO 8601 | day [hour] | hour | "now"
//   day     = "today" | "yesterday" | weekday | "25 Nov" | "25 Nov 2026" | "25.11." | "2026-11-25"
//   hour    = "22:00" | "22" | "10 pm" | "noon" | "midnight"
//
// A day alone is the whole day; an hour alone begins a span that ends now. What lacks a day or a year is the latest that has
// begun; what follows "–" is the first after the beginning. Of an hour that exists twice, a span contains both.

import { mod, moments, wall } from "./wall_time.js";

export const EXAMPLES = ["last night 22–06", "since 14:00", "yesterday", "last 3 h", "25 Nov 22:00 – 26 Nov 06:00", "22:00–06:00"];
export const MOST_HOURS = 87_600;
const MOST_TEXT = 120;
const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS;
const UNITS = { m: 60_000, min: 60_000, mins: 60_000, minute: 60_000, minutes: 60_000, h: HOUR_MS, hr: HOUR_MS, hrs: HOUR_MS, hour: HOUR_MS,
  hours: HOUR_MS, d: DAY_MS, day: DAY_MS, days: DAY_MS, w: 7 * DAY_MS, week: 7 * DAY_MS, weeks: 7 * DAY_MS };
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const NIGHT = "22–06";
const SEPARATOR = /\s+(?:to|until|till)\s+|\s*(?:–|—|\.\.\.?|…|\/(?=\d{4}-))\s*|\s*-\s*/g;

// Returns {range}, whole hours up to now; or {from, to}, as ISO 8601, with `to` null if the span ends now; or {problem}, a
// sentence. `now` is in milliseconds.
export function parse(text, now) {
  const said = text.trim().toLowerCase().replace(/\s+/g, " ").replace(/[−‒]/g, "-");
  if (!said) return { problem: `Type a span, such as “${EXAMPLES[0]}”.` };
  if (said.length > MOST_TEXT) return { problem: unreadable(said) };
  const found = lately(said, now) ?? night(said, now) ?? since(said, now) ?? alone(said, now) ?? between(said, now);
  return found ? checked(found, now) : { problem: unreadable(text.trim()) };
}

function unreadable(text) {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `“${shown}” is no span that can be read. Possible are ${EXAMPLES.map((one) => `“${one}”`).join(", ")}, and times as in ISO 8601.`;
}

function checked({ range, begin, end }, now) {
  if (range) return { range };
  if (!(Math.abs(begin) < 8e15 && Math.abs(end) < 8e15)) return { problem: "This time is too far away." };
  if (begin >= now) return { problem: "This span has not begun yet." };
  if (begin >= end) return { problem: "This span ends before it begins." };
  if (Math.min(end, now) - begin > MOST_HOURS * HOUR_MS) return { problem: "A span may be 3,650 days long." };
  return { from: new Date(begin).toISOString(), to: end >= now ? null : new Date(end).toISOString() };
}

function lately(said, now) {
  const [, number = "1", unit] = /^(?:(?:the )?(?:last|past) )?(\d{1,6}(?:[.,]\d{1,3})?)? ?([a-z]+)$/.exec(said) ?? [];
  if (!Object.hasOwn(UNITS, unit ?? "") || !/\d|last|past/.test(said)) return null;
  const length = Number(number.replace(",", ".")) * UNITS[unit], range = length / HOUR_MS;
  return Number.isInteger(range) && range >= 1 && range <= MOST_HOURS ? { range } : { begin: now - length, end: now };
}

// The night that began yesterday; one that begins after midnight, today's.
function night(said, now) {
  const [, hours] = /^(?:the )?(?:last night|overnight)[, ]*(.*)$/.exec(said) ?? [];
  if (hours === undefined) return null;
  for (const [left, right] of halves(hours.replace(/^from /, "") || NIGHT)) {
    const [from, to] = [hour(left), hour(right)];
    if (from === null || to === null) continue;
    const today = dayOf(wall(now));
    const day = from < to && today + from <= wall(now) ? today : today - DAY_MS;
    return { begin: moments(day + from).first, end: moments(day + to + (to > from ? 0 : DAY_MS)).last };
  }
  return null;
}

function since(said, now) {
  const [, rest] = /^(?:since|from|after) (.+)$/.exec(said) ?? [];
  const found = rest && moment(rest);
  return found ? { begin: latest(found, now), end: now } : null;
}

function between(said, now) {
  for (const [left, right] of halves(said.replace(/^(?:from|between) /, ""))) {
    const [start, stop] = [moment(left), right === "now" ? { ms: now } : moment(right)];
    if (!start || !stop) continue;
    if (start.day === undefined && start.ms === undefined && (stop.day || stop.ms !== undefined)) {
      const end = stop.time === null ? ending(stop, latest(stop, now), now) : latest(stop, now);
      return { begin: latest(start, end - 1), end };
    }
    const begin = latest(start, now);
    return { begin, end: ending(stop, begin, now) };
  }
  return null;
}

function alone(said, now) {
  const found = moment(said);
  if (!found) return null;
  const begin = latest(found, now);
  return { begin, end: found.day && found.time === null ? moments(wall(begin) - mod(wall(begin), DAY_MS) + DAY_MS).last : now };
}

// The text cut in two at each place that may be the middle.
function halves(said) {
  return [...said.matchAll(SEPARATOR)].map((cut) => [said.slice(0, cut.index).trim(), said.slice(cut.index + cut[0].length).trim()]);
}

// {ms}, a moment with its offset; or {day, time}: `time` in milliseconds since midnight, null if only a day was said; `day`
// as the function `date` returns it, undefined if only a time was said. null if the text is none of these.
function moment(said) {
  const iso = /^(\d{4})-(\d\d)-(\d\d)(?:[t ](\d\d?(?::\d\d(?::\d\d(?:\.\d+)?)?)?)(z| ?[+-]\d\d:?\d\d)?)?$/.exec(said);
  if (iso?.[5] && (said.includes("t") || !iso[5].includes("-"))) { // “2026-11-25 22:00-06:00” is a span
    const ms = Date.parse(`${iso[1]}-${iso[2]}-${iso[3]}T${padded(iso[4])}${iso[5].trim().toUpperCase().replace(/(\d\d)(\d\d)$/, "$1:$2")}`);
    return Number.isNaN(ms) ? null : { ms };
  }
  const time = hour(said);
  if (time !== null) return { time };
  for (let cut = said.length; cut > 0; cut = said.lastIndexOf(" ", cut - 1)) {
    const day = date(said.slice(0, cut).replace(/,$/, "")), rest = said.slice(cut).trim().replace(/^at /, "");
    const at = rest ? hour(rest) : null;
    if (day && (!rest || at !== null)) return { day, time: at };
  }
  const glued = /^(\d{4}-\d\d-\d\d)t(.+)$/.exec(said), at = glued && hour(glued[2]), day = glued && date(glued[1]);
  return day && at !== null ? { day, time: at } : null;
}

function padded(time) {
  const [h, m = "00", s = "00"] = time.split(":");
  return `${h.padStart(2, "0")}:${m}:${s}`;
}

// Milliseconds since midnight; null if the text is no time of day.
function hour(said) {
  if (said === "midnight") return 0;
  if (said === "noon") return 12 * HOUR_MS;
  const [, h, m = "0", s = "0", half] = /^(\d\d?)(?::(\d\d))?(?::(\d\d(?:\.\d{1,9})?))?(?: ?h| ?([ap])\.?m\.?| o'clock)?$/.exec(said) ?? [];
  if (h === undefined || Number(m) > 59 || Number(s) >= 60) return null;
  if (half && (Number(h) < 1 || Number(h) > 12)) return null;
  const hours = half ? Number(h) % 12 + (half === "p" ? 12 : 0) : Number(h);
  if (hours > 24 || (hours === 24 && (Number(m) || Number(s)))) return null;
  return hours * HOUR_MS + Number(m) * 60_000 + Math.floor(Number(s) * 1000);
}

// {back} days before today, {weekday}, or {year, month, day} with `year` null if it was not said.
function date(said) {
  if (said === "today") return { back: 0 };
  if (said === "yesterday") return { back: 1 };
  const weekday = DAYS.findIndex((name) => new RegExp(`^(?:on )?(?:last )?${name}(?:day|s|sday|nesday|r|rs|rsday|urday)?$`).test(said));
  if (weekday >= 0) return { weekday };
  let [, day, month, year] = /^(?:[a-z]{3,9},? )?(\d\d?)(?:st|nd|rd|th|\.)? ([a-z]{3,9})\.?(?:,? (\d{4}))?$/.exec(said) ?? [];
  if (!day) [, month, day, year] = /^(?:[a-z]{3,9},? )?([a-z]{3,9})\.? (\d\d?)(?:st|nd|rd|th)?(?:,? (\d{4}))?$/.exec(said) ?? [];
  if (day) return real(year, MONTHS.indexOf(month.slice(0, 3)), day);
  [, day, month, year] = /^(\d\d?)\.(\d\d?)\.(\d{4})?$/.exec(said) ?? [];
  if (!day) [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(said) ?? [];
  return day ? real(year, Number(month) - 1, day) : null;
}

function real(year, month, day) {
  const found = new Date(Date.UTC(Number(year ?? 2024), month, Number(day))); // 2024: a leap year
  if (month < 0 || found.getUTCMonth() !== month || found.getUTCDate() !== Number(day)) return null;
  return { year: year ? Number(year) : null, month, day: Number(day) };
}

function dayOf(shown) {
  return shown - mod(shown, DAY_MS);
}

// The latest such moment that is not after `now`; for a day with its year, that day.
function latest({ ms, day, time }, now) {
  if (ms !== undefined) return ms;
  const today = dayOf(wall(now)), at = time ?? 0;
  const begun = (one) => moments(one + at).first;
  if (!day) return begun(begun(today) <= now ? today : today - DAY_MS);
  if (day.back !== undefined) return begun(today - day.back * DAY_MS);
  if (day.weekday !== undefined) {
    const back = mod(new Date(today).getUTCDay() - day.weekday, 7);
    const found = today - back * DAY_MS;
    return begun(begun(found) <= now ? found : found - 7 * DAY_MS);
  }
  if (day.year !== null) return begun(Date.UTC(day.year, day.month, day.day));
  return begun(lastOf(day, new Date(today).getUTCFullYear(), -1, (one) => begun(one) <= now));
}

// The end of a span that begins at `begin`: the first such moment after it. A day alone ends with its last moment.
function ending({ ms, day, time }, begin, now) {
  if (ms !== undefined) return ms;
  const first = dayOf(wall(begin)), at = time ?? DAY_MS;
  const over = (one) => moments(one + at).last;
  if (!day) return over(over(first) > begin ? first : first + DAY_MS);
  if (day.back !== undefined) return over(dayOf(wall(now)) - day.back * DAY_MS);
  if (day.weekday !== undefined) {
    const found = first + mod(day.weekday - new Date(first).getUTCDay(), 7) * DAY_MS;
    return over(over(found) > begin ? found : found + 7 * DAY_MS);
  }
  if (day.year !== null) return over(Date.UTC(day.year, day.month, day.day));
  return over(lastOf(day, new Date(first).getUTCFullYear(), 1, (one) => over(one) > begin));
}

// The day in `year` or, while it does not `fit`, in the next or (`step` −1) previous years: 29 February may be eight years away.
function lastOf({ month, day }, year, step, fits) {
  for (let tries = 0; tries <= 8; tries++, year += step) {
    const found = Date.UTC(year, month, day);
    if (new Date(found).getUTCMonth() === month && fits(found)) return found;
  }
  return NaN;
}
