// Changes of states of patterns and drained workers, as the WebSocket's topic `states` brings them: they reach what is open, and
// the rows of answers that were made before the change.

import { NoAnswer, Refusal } from "./api.js";
import { fresh, subject } from "./states.js";

const OLDEST_MS = 20_000; // an answer that is drawn later than this after a change was made after it: requests end before (api.js)

const watchers = new Set();
let known = null, recent = [], lostAt = -Infinity, changed = () => {}, unsure = () => {};

// `onChange()` is called after changes; `onUnsure(changes)` when answers of before may be wrong: `changes` are what is known,
// null if not all of them are.
export function bind({ onChange, onUnsure }) {
  [changed, unsure] = [onChange, onUnsure];
}

// Calls `take(state)` with each new state of what is `of` ("pattern:ID", "worker:NAME"), as long as `place` is on the page, and
// `noted(number)` with each new note about it, null if there may be some.
// `look()` returns a promise of the present one, for when changes were missed. `since` is when the request began whose answer
// `place` shows (performance.now()): what changed during it is taken at once. Returns a function that waits for the state in the
// answer to another request, and passes it to `accept` unless a later one arrived in the meantime.
export function watch(of, place, { since, take, look, noted = () => {} }) {
  present(); // forgets what is on the page no more
  const one = { of, place, take, look, noted, turn: 0 };
  watchers.add(one);
  const last = young().findLast(({ change, at }) => at >= since && subject(change) === of);
  if (lostAt >= since) lookAt(one); else if (last) take(stateIn(last.change));
  return async (asked, accept) => {
    const { turn } = one, state = await asked;
    if (turn !== one.turn) return;
    one.turn += 1;
    accept(state);
  };
}

// Takes the data of a message.
export function take(message) {
  const first = known === null, { changes, missed } = first ? { changes: [], missed: false } : fresh(known, message);
  known = message.version;
  if (first) {
    if (message.changes.length) { lostAt = performance.now(); unsure(message.changes); } // they may be of before or after an answer
    return askAgain(new Set(message.changes.map(subject)));
  }
  recent = [...young(), ...changes.map((change) => ({ change, at: performance.now() }))];
  for (const change of changes) for (const one of present()) if (one.of === subject(change)) {
    one.turn += 1;
    one.take(stateIn(change));
    if (change.note != null) one.noted(change.note);
  }
  if (changes.length) changed();
  if (missed) again();
}

// Called when messages may have been missed.
export function again() {
  recent = [];
  lostAt = performance.now();
  unsure(null);
  askAgain(null);
}

// Writes recent changes into the rows of an overview, which may have been made before them.
export function apply(overview) {
  for (const { change } of recent = young()) {
    const row = rowOf(overview, change);
    if (row) row[change.pattern_id == null ? "drained" : "state"] = stateIn(change);
  }
}

// Whether the rows of an overview say something else than changes.
export function differs(overview, changes) {
  const last = new Map(changes.map((change) => [subject(change), change]));
  return [...last.values()].some((change) => {
    const row = rowOf(overview, change);
    return row && JSON.stringify(row.state ?? row.drained ?? null) !== JSON.stringify(stateIn(change));
  });
}

function rowOf({ error_patterns: { top_patterns: patterns }, worker_errors: { worker_stats: workers } }, { pattern_id: pattern, worker_id: worker }) {
  return pattern == null ? workers.find((row) => row.worker_id === worker) : patterns.find((row) => row.pattern_id === pattern);
}

const stateIn = ({ pattern_id: pattern, state, drained }) => (pattern == null ? drained ?? null : state);
const young = () => recent.filter(({ at }) => performance.now() - at < OLDEST_MS);

function present() {
  for (const one of watchers) if (!one.place.isConnected) watchers.delete(one);
  return [...watchers];
}

function askAgain(subjects) {
  for (const one of present()) if (!subjects || subjects.has(one.of)) lookAt(one);
}

// The answer is dropped if a message or a later look was faster.
function lookAt(one) {
  const turn = ++one.turn;
  one.look().then((state) => { if (turn === one.turn) one.take(state); if (one.place.isConnected) one.noted(null); },
    (failure) => { if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure; });
}
