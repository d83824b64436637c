// The states of patterns and drained workers in words, what can be done in each, and which changes are new. Pure functions.
//
// A text is a list of parts: a string, `{name}` (who did it), `{at}` (a time, ISO 8601, as `atMoment` says it; `on` asks for its
// preposition) or `{error}` (the id of an error).

import { CLOCK, formatted } from "./dates.js";

const MARKS = { claimed: "●", resolved: "✓", muted: "‖", regressed: "↺" }, DRAINED = "⊘";
const WORDS = { regressed: "came back" };
const PASSING = new Set(["errors_left", "silence_id", "silence_error"]); // change by themselves, the first with each error
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
    note: ["Note", ...who], claim: ["Claimed", ...who], resolve: ["Resolved", ...who], reopen: ["Reopened", ...who], regressed: ["Came back", ...because],
    mute: ["Muted", ...who, ...ending(until, null), ...until && count.length ? [" or"] : [], ...count], unmuted: ["The mute ended", ...because],
    drain: ["Drained", ...who, ...ending(until, null)], undrain: ["Undrained", ...who], drain_ended: ["The drain ended"],
  }[action]?.concat(sender) ?? [String(action), ...who];
}

// A time in the reader's zone as of `now` (milliseconds), with its date unless that is today.
export function atMoment(iso, now, on = false) {
  const date = new Date(iso), today = new Date(now);
  const time = formatted(date, CLOCK);
  if (date.toDateString() === today.toDateString()) return on ? `at ${time}` : time;
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return `${on ? "on " : ""}${formatted(date, { day: "numeric", month: "short", year })}, ${time}`;
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
  tomorrow.setHours(MORNING, 0, 0, 0);
  return [["hour", "for 1 h", now + HOUR_MS], ["shift", "for 8 h", now + 8 * HOUR_MS],
    ["tomorrow", `until tomorrow ${formatted(tomorrow, CLOCK)}`, tomorrow.getTime()]];
}

// The end that was chosen in a form, as the API takes it. The form was opened at `opened` and is sent at `now` (milliseconds); `until`
// and `errors` are what its fields have. A time that cannot be read is sent as it is, so that the service refuses it: without
// one there would be no end.
export function chosenEnd(chosen, { opened, now, until, errors }) {
  if (chosen === "open") return {};
  if (chosen === "errors") return { errors: Number(errors) };
  const ahead = ends(chosen === "tomorrow" ? opened : now).find(([value]) => value === chosen); // the form said which day is tomorrow
  const ms = ahead ? ahead[2] : Date.parse(until);
  return { until: Number.isNaN(ms) ? until : new Date(ms).toISOString() };
}

// Whether a state differs from an earlier one in what somebody did, or what ended: in what the audit trail has.
export function isNews(before, now) {
  const lasting = (state) => JSON.stringify(state, (key, value) => (PASSING.has(key) ? undefined : value));
  return lasting(before) !== lasting(now);
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
