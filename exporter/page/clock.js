// The service's clock. The page uses it to decide what is recent, because error times come from the service and the reader's
// clock may be wrong.

let ahead = 0;

// Sets the clock by `iso`, the time at which the service made an answer.
export function set(iso) {
  ahead = Date.parse(iso) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}
