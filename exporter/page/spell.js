// Numbers as the reader's language writes them, with units in English.

const BYTES = ["byte", "kB", "MB", "GB", "TB"];
const SPANS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function many(count, what) {
  return `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;
}

// A number of bytes with three digits, in units of 1,000.
export function bytes(count) {
  const power = Math.min(BYTES.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** power).toLocaleString([], { maximumSignificantDigits: 3 })} ${BYTES[power]}`;
}

// A span of time, in the largest unit of which it is a whole number.
export function span(seconds) {
  const [unit, size] = SPANS.find(([, length]) => seconds % length === 0) ?? SPANS.at(-1);
  return many(seconds / size, unit);
}
