// Times as a clock on the reader's wall shows them, right at the changes of daylight saving time: an hour may not exist, or twice.

const MINUTE_MS = 60_000, DAY_MS = 86_400_000;

// Minutes that the reader's zone is ahead of UTC at `ms`.
export function offset(ms) {
  return -new Date(ms).getTimezoneOffset();
}

// The wall's date and time at `ms`, as if it were UTC: arithmetic with days is right in it.
export function wall(ms) {
  return ms + offset(ms) * MINUTE_MS;
}

// The first and the last moment at which the wall shows `shown` (a value of `wall`). Two moments if clocks were set back; the
// moment of the change, if clocks were set forward over it.
export function moments(shown) {
  const guesses = [offset(shown - DAY_MS), offset(shown + DAY_MS)].map((minutes) => shown - minutes * MINUTE_MS);
  const real = guesses.filter((ms) => wall(ms) === shown);
  if (real.length) return { first: Math.min(...real), last: Math.max(...real) };
  let [before, after] = [Math.min(...guesses), Math.max(...guesses)];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (wall(middle) < shown) before = middle; else after = middle;
  }
  return { first: after, last: after };
}

// Whether the wall shows the time of `ms` twice, because clocks are set back.
export function twice(ms) {
  const { first, last } = moments(wall(ms));
  return first !== last;
}

// The start of the day on which `ms` is.
export function midnight(ms) {
  return moments(wall(ms) - mod(wall(ms), DAY_MS)).first;
}

// The same time on the wall, so many days later.
export function sameTime(ms, days) {
  const { first, last } = moments(wall(ms) + days * DAY_MS);
  return ms === moments(wall(ms)).first ? first : last;
}

export function mod(value, by) {
  return ((value % by) + by) % by;
}

// The offset from UTC as text, such as "+01:00".
export function zone(ms) {
  const minutes = offset(ms), size = Math.abs(minutes);
  const two = (number) => String(number).padStart(2, "0");
  return `${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
