// The service's clock. The page uses it to decide what is recent, because error times come from the service and the reader's
// clock may be wrong.

let ahead = 0, known = false;

// Sets the clock by `iso`, the time at which the service made an answer, which was `lateMs` milliseconds ago at most. Of two
// answers the one that came faster counts, so that the clock does not go back and forth; it is never ahead of the service's.
export function set(iso, lateMs = 0) {
  const least = Date.parse(iso) - Date.now();
  if (!known || ahead < least || ahead > least + lateMs) [ahead, known] = [least, true];
}

export function now() {
  return Date.now() + ahead;
}
