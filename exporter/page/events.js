// Which errors and verdicts are events that sound, and by which sound. Pure functions; docs/page.md has the rules in words.

export const ORDER = ["system-critical", "critical", "warning", "info", "recovered"]; // the gravest first
export const AGAIN_MS = 30 * 60_000; // a pattern that was not on a worker for as long is a first again
const LATE_MS = 30 * 60_000, MOST = 20_000;

export function soundOf(error) {
  return error.is_system_critical ? "system-critical" : error.severity;
}

// Whether an error says nothing about now: it was imported, or arrived long after it happened.
export function isPast({ imported, timestamp, received_at: received }) {
  return Boolean(imported) || Date.parse(received) - Date.parse(timestamp) >= LATE_MS;
}

// Notes `errors` in `heard`, a Map of what was on which worker, and returns those that are events: the first of a pattern on a
// worker, and one that is graver than all before it. A pattern may get its id a moment after its first error, which is why
// fingerprints count, too. With `every`, each error that is not of the past is an event. An event that nobody can hear, as
// `unheard(error)` says, is not noted: the next error of its kind is the event.
export function firsts(heard, errors, { every = false, unheard = () => false } = {}) {
  const events = [];
  for (const error of errors.toSorted((a, b) => a.id - b.id)) {
    if (isPast(error)) continue;
    const at = Date.parse(error.received_at), rank = ORDER.indexOf(soundOf(error));
    const keys = new Set([error.pattern_id, error.fingerprint].map((id) => `${id} ${error.worker_id}`));
    const known = [...keys].map((key) => heard.get(key)).filter((one) => one && at - one.at < AGAIN_MS);
    const gravest = Math.min(...known.map((one) => one.rank));
    if (every || rank < gravest) events.push(error);
    const noted = unheard(error) ? gravest : Math.min(rank, gravest);
    for (const key of keys) {
      heard.delete(key); // the Map is in the order of the last error
      if (noted !== Infinity) heard.set(key, { at, rank: noted });
    }
  }
  for (const key of heard.keys()) {
    if (heard.size <= MOST) break;
    heard.delete(key);
  }
  return events;
}

// What a verdict is after the state `before` (null: there was none): `{state, event}`. `event` is "surge" when warnings begin to
// surge, "recovered" when it is calm again, else null. A verdict that does not know changes nothing. A surge that nobody can
// hear (`unheard`) is the event of a later verdict, if it goes on.
export function turn(before, { colour, rule }, unheard = false) {
  if (colour === "unknown") return { state: before, event: null };
  const state = { bad: colour !== "calm", surging: rule === "surge" };
  if (before === null) return { state, event: null };
  if (state.surging && !before.surging) return { state: { ...state, surging: !unheard }, event: "surge" };
  return { state, event: before.bad && !state.bad ? "recovered" : null };
}
