// Dates and times of day. Their words are English, as all of the page; the order of day, month and year, and the clock of 12 or of
// 24 hours, are those of the reader's browser. Times are in the reader's zone.

const ENGLISH = { day: "en-GB", month: "en-US", year: "en-CA" }; // by what comes first

const { locale, hourCycle } = new Intl.DateTimeFormat([], { hour: "numeric" }).resolvedOptions();
// The reader's own English, or the one with the order that the reader's language has: it may have another one in a date of numbers,
// such as "2026-11-27", than with the month's name, such as "27 nov." in Swedish.
const NUMBERS = english({ year: "numeric", month: "numeric", day: "numeric" });
const NAMED = english({ month: "short", day: "numeric" });
export const TWELVE = /h1[12]/.test(hourCycle);
const HOURS = TWELVE ? { hour: "numeric", hourCycle: "h12" } : { hour: "2-digit", hourCycle: "h23" };
export const CLOCK = { ...HOURS, minute: "2-digit" };
export const SECONDS = { ...CLOCK, second: "2-digit" };
export const FULL = { dateStyle: "full", timeStyle: "long", hourCycle: HOURS.hourCycle };
const ALL = { year: "numeric", month: "numeric", day: "numeric", ...SECONDS };
const made = new Map();

function english(date) {
  if (/^en\b/.test(locale)) return locale;
  return ENGLISH[new Intl.DateTimeFormat([], date).formatToParts(0).find(({ type }) => type in ENGLISH)?.type] ?? "en-GB";
}

// `date` as text; "?" for a time that could not be read. `options` are those of Intl.DateTimeFormat. Its formatters are kept: to
// make one takes 0.3 ms, and a redraw of the page formats some hundred times. Canada's "p.m." is said as "PM": it is too wide for
// columns, and ends a sentence with two dots.
export function formatted(date, options) {
  if (Number.isNaN(Number(date))) return "?"; // format() would throw
  const key = JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(options.month === "numeric" ? NUMBERS : NAMED, options));
  return made.get(key).format(date).replace(/\b([ap])\.m\./, (_, half) => `${half.toUpperCase()}M`);
}

// The date and the time of a moment (ISO 8601), both in numbers.
export function full(iso) {
  return formatted(new Date(iso), ALL);
}
