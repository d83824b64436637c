// What the page shows is in its address (range, filters, the open error), what its reader likes in localStorage.

export const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
export const FILTERS = ["severity", "category", "worker", "type", "hardware", "group", "fingerprint", "q"];

export function read() {
  const query = new URLSearchParams(location.search);
  const range = Number(query.get("range"));
  const filters = {};
  for (const name of FILTERS) {
    const values = query.getAll(name).filter(Boolean);
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

// localStorage may be missing or forbidden; then a choice lasts as long as the page.
const kept = new Map();

export function preference(name, otherwise) {
  try {
    const text = localStorage.getItem(name);
    return text === null ? kept.get(name) ?? otherwise : JSON.parse(text);
  } catch {
    return kept.get(name) ?? otherwise;
  }
}

export function prefer(name, value) {
  kept.set(name, value);
  try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* it lasts as long as the page */ }
}
