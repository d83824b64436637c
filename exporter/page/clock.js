// The service's clock. Times of errors are its own, and the reader's clock may be wrong: what is recent and what is old is
// told by this one.

let ahead = 0;

// Takes the time that an answer was made at.
export function set(iso) {
  ahead = Date.parse(iso) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}
