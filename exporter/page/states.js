// The states of patterns and drained workers in words, what can be done in each, and which changes are new. Pure functions.
//
// A text is a list of parts: a string, `{name}` (who did it), `{at}` (a time, ISO 8601, as `moment` says it; `on` asks for its
// preposition) or `{error}` (the id of an error).

const MARKS = { claimed: "●", resolved: "✓", muted: "‖", regressed: "↺" }, DRAINED = "⊘";
const WORDS = { regressed: "came back" };
const HOUR_MS = 3_600_000, MORNING = 9;

// A state in a table, such as "● claimed"; "" for a pattern of which there is nothing to say.
export function short(state) {
  const word = state?.status;
  return Object.hasOwn(MARKS, word) ? `${MARKS[word]} ${WORDS[word] ?? word}` : "";
}

export function shortDrained(drained) {
  return drained ? `${DRAINED} drained` : "";
}

// The state of a pattern as a sentence.
export function said({ status, by, at, until, errors_left: errors }) {
  const who = by ? [" by ", { name: by }] : [], moment = at ? [" ", { at, on: true }] : [];
  if (status === "claimed") return [`${MARKS.claimed} Claimed`, ...who, ...at ? [" since ", { at }] : []];
  if (status === "resolved") return [`${MARKS.resolved} Resolved`, ...who, ...moment];
  if (status === "muted") return [`${MARKS.muted} Muted`, ...ending(until, errors), ...by ? [", by ", { name: by }] : []];
  if (status === "regressed") return [`${MARKS.regressed} Came back`, ...moment, by ? ": regression of what " : ": a regression", ...by ? [{ name: by }, " had resolved"] : []];
  if (status === "open" && by) return ["○ Reopened", ...who, ...moment];
  return [{ new: "◆ New: first seen within the last 24 hours", open: "○ Open" }[status] ?? String(status)];
}

// Whether the alerts of a muted pattern are silenced; "" for other patterns.
export function silence({ status, silence_id: id, silence_error: error }) {
  if (status !== "muted") return "";
  if (error) return `${id ? "A silence in Alertmanager exists, but:" : "There is no silence in Alertmanager:"} ${error}`;
  return id ? "Its alerts are silenced in Alertmanager." : "There is no silence in Alertmanager.";
}

export function saidDrained(drained) {
  if (!drained) return [];
  const { by, at, until } = drained;
  return [`${DRAINED} Drained by `, { name: by }, ...until ? [" until ", { at: until }] : [" since ", { at }, ", without an end"]];
}

function ending(until, errors) {
  const count = errors == null ? [] : [` for ${errors.toLocaleString()} more ${errors === 1 ? "error" : "errors"}`];
  return [...until ? [" until ", { at: until }] : [], ...until && count.length ? [" or"] : [], ...count];
}

// An entry of the audit trail as a sentence.
export function told({ action, by, caller, until, errors, error_id: error }) {
  const who = by ? [" by ", { name: by }] : [], because = error == null ? [] : [": ", { error }];
  const sender = caller && caller !== by ? [" (sent by ", { name: caller }, ")"] : [];
  const count = errors == null ? [] : [` for ${errors.toLocaleString()} ${errors === 1 ? "error" : "errors"}`];
  return {
    claim: ["Claimed", ...who], resolve: ["Resolved", ...who], reopen: ["Reopened", ...who], regressed: ["Came back", ...because],
    mute: ["Muted", ...who, ...ending(until, null), ...until && count.length ? [" or"] : [], ...count], unmuted: ["The mute ended", ...because],
    drain: ["Drained", ...who, ...ending(until, null)], undrain: ["Undrained", ...who], drain_ended: ["The drain ended"],
  }[action]?.concat(sender) ?? [String(action), ...who];
}

// A time in the reader's zone as of `now` (milliseconds), with its date unless that is today.
export function moment(iso, now, on = false) {
  const date = new Date(iso), today = new Date(now);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (date.toDateString() === today.toDateString()) return on ? `at ${time}` : time;
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return `${on ? "on " : ""}${date.toLocaleDateString([], { day: "numeric", month: "short", year })}, ${time}`;
}

// What the reader `name` can usefully do with a pattern in a state.
export function fitting({ status, by }, name) {
  return {
    claimed: [...by !== name ? ["claim"] : [], "resolve", "mute", "reopen"], resolved: ["claim", "reopen"],
    muted: ["claim", "resolve", "mute", "reopen"], regressed: ["claim", "resolve", "mute", "reopen"],
  }[status] ?? ["claim", "resolve", "mute"];
}

// The ends to choose from at `now`: `[value, words, until]`, `until` in milliseconds.
export function ends(now) {
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  return [["hour", "for 1 h", now + HOUR_MS], ["shift", "for 8 h", now + 8 * HOUR_MS],
    ["tomorrow", "until tomorrow 09:00", tomorrow.setHours(MORNING, 0, 0, 0)]];
}

// The changes in a message of the topic `states` that are later than the version `known`. `missed`: there were others, which
// it does not have, or the service counts from 0 again.
export function fresh(known, { version, changes }) {
  const later = version < known ? [] : changes.filter((change) => change.version > known);
  return { changes: later, missed: version < known || later.length !== version - known };
}

// What a change is about, such as "pattern:ID".
export function subject({ pattern_id: pattern, worker_id: worker }) {
  return pattern == null ? `worker:${worker}` : `pattern:${pattern}`;
}
