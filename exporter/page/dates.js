// Dates and times of day in the reader's language and zone, always with a clock of 24 hours.

export const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const ALL = { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const made = new Map();

// `date` as text; "?" for a time that could not be read. `options` are those of Intl.DateTimeFormat. Its formatters are kept: to make one takes 0.3 ms, and a redraw of
// the page formats some hundred times.
export function formatted(date, options) {
  if (Number.isNaN(Number(date))) return "?"; // format() would throw
  const key = JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat([], options));
  return made.get(key).format(date);
}

// The date and the time of a moment (ISO 8601), both in numbers.
export function full(iso) {
  return formatted(new Date(iso), ALL);
}
