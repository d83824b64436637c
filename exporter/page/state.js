// The URL holds what the page shows (span, filters, the open error); localStorage holds the reader's preferences.

export const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
export const FILTERS = ["severity", "category", "worker", "type", "hardware", "group", "run", "job", "suite", "branch", "commit", "user",
  "test", "device", "pattern", "fingerprint", "q"];
const SINGLE = ["pattern", "fingerprint", "q"]; // the service accepts only one value of these
const NEVER = ["fingerprint", "q"]; // cannot be excluded
export const EXCLUDED = "!"; // behind the name of a filter whose values are excluded
const NAMES = [...FILTERS, ...FILTERS.filter((name) => !NEVER.includes(name)).map((name) => name + EXCLUDED)];
export const PREFIX = "error-visualization."; // other pages of the same origin share localStorage
const HOUR_MS = 3_600_000, MOST_HOURS = 87_600;
const COMPARED = ["before", "yesterday"];

// The state: `range`, the length of the span in hours; `from` and `to`, where it begins and ends as ISO 8601, null if it is
// `range` long and if it ends now; `filters`, lists of values by name; `error`, the id of the open error; `view`, the open view
// of another thing, as "pattern:ID", of which only one is not null; `compare`, the span that is compared with: "before",
// "yesterday" or null; `wall`, whether the page is on a wall.
export function read() {
  return parse(location.search);
}

export function parse(text) {
  const query = new URLSearchParams(text);
  const range = Number(query.get("range"));
  const filters = {};
  for (const name of NAMES) {
    const values = query.getAll(name).map((value) => spelled(name, value)).filter(Boolean).slice(0, SINGLE.includes(name) ? 1 : undefined);
    if (values.length) filters[name] = values;
  }
  const compare = COMPARED.find((name) => name === query.get("compare")) ?? null;
  const error = query.get("error");
  return { range: Number.isInteger(range) && range > 0 && range <= MOST_HOURS ? range : 24, ...span(query.get("from"), query.get("to")), filters, compare,
    error, view: error ? null : query.get("view") || null, wall: query.has("wall") };
}

function span(from, to) {
  const [start, end] = [moment(from), moment(to)];
  return start && end && start >= end ? { from: null, to: null } : { from: start, to: end };
}

// A time as the service understands it; null for what is none.
function moment(text) {
  const date = new Date(text ?? NaN);
  const year = date.getUTCFullYear();
  return year >= 1970 && year < 2200 ? date.toISOString() : null;
}

// The service stores categories in upper case, and its filters accept any spelling.
function spelled(name, value) {
  return name.startsWith("category") ? value.trim().toUpperCase() : value;
}

export function address({ range, from, to, filters, compare, error, view, wall }) {
  const query = new URLSearchParams(from ? {} : { range });
  if (from) query.set("from", from);
  if (to) query.set("to", to);
  for (const [name, values] of Object.entries(filters)) for (const value of values) query.append(name, value);
  if (compare) query.set("compare", compare);
  if (error) query.set("error", error);
  else if (view) query.set("view", view);
  if (wall) query.set("wall", "");
  return `?${query}`;
}

// The URL of the page with the view of one thing: a pattern, worker, run or test.
export function viewAddress(state, kind, id) {
  return address({ ...state, error: null, view: `${kind}:${id}` });
}

// What is open over the page, as "error:ID" or "pattern:ID"; null if nothing is.
export function opened({ error, view }) {
  return error ? `error:${error}` : view ?? null;
}

// The state with nothing open over the page.
export function shut(state) {
  return { ...state, error: null, view: null };
}

// Where the span begins and ends, in milliseconds; it ends never if it ends now. `now` is the present moment.
export function bounds({ range, from, to }, now) {
  const end = to ? Date.parse(to) : Infinity;
  return [from ? Date.parse(from) : Math.min(end, now) - range * HOUR_MS, end];
}

// The name of a filter without the mark of an exclusion.
export const base = (name) => (name.endsWith(EXCLUDED) ? name.slice(0, -EXCLUDED.length) : name);

export const excludable = (field) => !NEVER.includes(field);

// Filters to which a value was added: those on the same field that contradict it are removed. Of a field that accepts only one
// value, it replaces the present one; of others, too, because a click on a name asks for that one.
export function including(filters, field, value) {
  return put(filters, field, [value], (left) => left.filter((one) => one !== value));
}

export function excluding(filters, field, value) {
  const { [field]: included = [], ...others } = filters;
  const left = included.filter((one) => one !== value), out = field + EXCLUDED;
  return { ...others, ...left.length && { [field]: left }, [out]: [...(filters[out] ?? []).filter((one) => one !== value), value] };
}

function put(filters, field, values, keep) {
  const { [field + EXCLUDED]: excluded = [], ...others } = filters;
  const left = keep(excluded);
  return { ...others, ...left.length && { [field + EXCLUDED]: left }, [field]: values };
}

// Filters in which one value of the filter `name` is excluded instead of included, or the other way round.
export function invert(filters, name, value) {
  if (!name.endsWith(EXCLUDED)) return excluding(filters, name, value);
  const present = SINGLE.includes(base(name)) ? [] : filters[base(name)] ?? [];
  return put(filters, base(name), [...present, value], (left) => left.filter((one) => one !== value));
}

// Whether all of what the page shows is chosen by the time range alone.
export function unfiltered({ filters }) {
  return !Object.keys(filters).length;
}

// localStorage may be missing or forbidden; then a preference lasts as long as the page. A stored value of another type than
// `otherwise`, the default, is ignored.
const kept = new Map();

export function preference(name, otherwise) {
  const alike = (value) => typeof value === typeof otherwise && Array.isArray(value) === Array.isArray(otherwise) && value !== null;
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + name));
    if (alike(value)) return value;
  } catch { /* the default is used */ }
  return kept.get(name) ?? otherwise;
}

export function prefer(name, value) {
  kept.set(name, value);
  try { localStorage.setItem(PREFIX + name, JSON.stringify(value)); } catch { /* the preference lasts as long as the page */ }
}
