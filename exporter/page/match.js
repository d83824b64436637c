// Whether a live update matches the filters, and which errors share a row of the list.

import { origin } from "./origin.js";
import { EXCLUDED } from "./state.js";

// Filters an error as GET /api/errors/list would. `members` are the known fingerprints of the pattern to filter by: the pattern id
// of an error may have changed since it was accepted.
export function matches(error, filters, members = new Set()) {
  const included = Object.fromEntries(Object.entries(filters).filter(([name]) => !name.endsWith(EXCLUDED)));
  if (!meets(error, included, members)) return false;
  return Object.entries(filters).every(([name, values]) => !name.endsWith(EXCLUDED)
    || !meets(error, { [name.slice(0, -1)]: values }, new Set()));
}

function meets(error, filters, members) {
  const any = (name, value) => !filters[name] || filters[name].includes(value);
  const texts = [`${error.message}\n${error.traceback ?? ""}`, error.type, error.worker_id, error.error_category];
  return any("severity", error.severity) && any("category", error.error_category) && any("worker", error.worker_id)
    && any("type", error.type) && any("fingerprint", error.fingerprint)
    && (any("pattern", error.pattern_id) || any("pattern", error.fingerprint) || members.has(error.fingerprint))
    && any("hardware", error.hardware_context?.hardware_type ?? null)
    && (!filters.group || filters.group.some((name) => error.groups.includes(name)))
    && Object.entries(origin(error)).every(([name, has]) => !filters[name] || filters[name].some((value) => (Array.isArray(has) ? has.includes(value) : has === value)))
    && (!filters.q || texts.some((text) => text.toLowerCase().includes(filters.q[0].toLowerCase())));
}

// Returns the rows of the list: for each pattern, severity and worker the newest error and the number of errors; with `each`, a
// row for each error.
export function fold(errors, each = false) {
  if (each) return errors.map((error) => ({ error, count: 1 }));
  const rows = new Map();
  for (const error of errors) {
    const row = rows.get(key(error));
    if (row) row.count += 1; else rows.set(key(error), { error, count: 1 });
  }
  return [...rows.values()];
}

export function key(error) {
  return `${error.pattern_id} ${error.severity} ${error.worker_id}`;
}
