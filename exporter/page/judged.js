// Which of the verdicts that arrive counts, and how old it may be. Pure functions. A moment of the reader is `[monotonic, date]`
// in milliseconds: the first clock stands still while a computer sleeps, and the second may be set.
//
//   answer to a request   began ──► judged ──► arrived     judged after `began`
//   message of the socket           judged ──► arrived     `began` is null: it may have lain in a buffer while the tab was frozen
//
// `known` is null or what `after` returned: `verdict`; `at`, the last moment before which it was surely not judged, or at which it
// arrived; `arrived`; and `ahead`, how far the service's clock is ahead of the reader's date, in milliseconds.

const SET_MS = 2000; // a contradiction between the two clocks from which on one of them was set

// Returns what is known after `verdict` arrived; `known` itself if the verdict was judged before the known one. An answer to a
// request that began after the known one had arrived is newer whatever it says: the service's clock was set back.
export function after(known, verdict, { began = null, arrived }) {
  const judged = Date.parse(verdict.checked_at);
  const isNewer = !known || (began && began[0] >= known.arrived[0]) || !(judged < Date.parse(known.verdict.checked_at));
  return isNewer ? { verdict, at: began ?? arrived, arrived, ahead: ahead(known, judged, began, arrived) } : known;
}

// Each verdict was judged before it arrived, so the service's clock is ahead by `judged - arrived` at least; the one with the
// least delay says it best. An answer was judged after its request began, which bounds it from above.
function ahead(known, judged, began, arrived) {
  const least = judged - arrived[1], most = began ? judged - began[1] : Infinity;
  return known && known.ahead <= most + SET_MS ? Math.max(known.ahead, least) : least;
}

// How long ago the known verdict was judged at most, in milliseconds, at the moment `now`.
export function age(known, now) {
  if (!known) return Infinity;
  const { at, verdict, ahead: by } = known;
  const most = Math.max(...now.map((clock, i) => Math.abs(clock - at[i])), now[1] + by - Date.parse(verdict.checked_at));
  return most >= 0 ? most : Infinity; // a verdict without a time is of no time
}
