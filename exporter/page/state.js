// The URL holds what the page shows (range, filters, the open error); localStorage holds the reader's preferences.

export const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
export const FILTERS = ["severity", "category", "worker", "type", "hardware", "group", "run", "job", "suite", "branch", "commit", "user",
  "test", "device", "pattern", "fingerprint", "q"];
const SINGLE = ["pattern", "fingerprint", "q"]; // the service accepts only one value of these
const PREFIX = "error-visualization."; // other pages of the same origin share localStorage

export function read() {
  const query = new URLSearchParams(location.search);
  const range = Number(query.get("range"));
  const filters = {};
  for (const name of FILTERS) {
    const values = query.getAll(name).map((value) => spelled(name, value)).filter(Boolean).slice(0, SINGLE.includes(name) ? 1 : undefined);
    if (values.length) filters[name] = values;
  }
  return { range: range in RANGES ? range : 24, filters, error: query.get("error") };
}

// The service stores categories in upper case, and its filters accept any spelling.
function spelled(name, value) {
  return name === "category" ? value.trim().toUpperCase() : value;
}

export function address({ range, filters, error }) {
  const query = new URLSearchParams({ range });
  for (const [name, values] of Object.entries(filters)) for (const value of values) query.append(name, value);
  if (error) query.set("error", error);
  return `?${query}`;
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
