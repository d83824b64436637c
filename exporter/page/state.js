// What the page shows is in its address (range, filters, the open error), what its reader likes in localStorage.

export const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
export const FILTERS = ["severity", "category", "worker", "type", "hardware", "group", "fingerprint", "q"];
const SINGLE = ["fingerprint", "q"]; // the service takes one of these
const PREFIX = "error-visualization."; // others may keep something at the same place

export function read() {
  const query = new URLSearchParams(location.search);
  const range = Number(query.get("range"));
  const filters = {};
  for (const name of FILTERS) {
    const values = query.getAll(name).filter(Boolean).slice(0, SINGLE.includes(name) ? 1 : undefined);
    if (values.length) filters[name] = values;
  }
  return { range: range in RANGES ? range : 24, filters, error: query.get("error") };
}

export function address({ range, filters, error }) {
  const query = new URLSearchParams({ range });
  for (const [name, values] of Object.entries(filters)) for (const value of values) query.append(name, value);
  if (error) query.set("error", error);
  return `?${query}`;
}

// localStorage may be missing or forbidden; then a choice lasts as long as the page. What is not of the kind of `otherwise`
// was not written here.
const kept = new Map();

export function preference(name, otherwise) {
  const alike = (value) => typeof value === typeof otherwise && Array.isArray(value) === Array.isArray(otherwise) && value !== null;
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + name));
    if (alike(value)) return value;
  } catch { /* as if there were nothing */ }
  return kept.get(name) ?? otherwise;
}

export function prefer(name, value) {
  kept.set(name, value);
  try { localStorage.setItem(PREFIX + name, JSON.stringify(value)); } catch { /* it lasts as long as the page */ }
}
