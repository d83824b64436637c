// What the service's own filters would say of an error that just came, and which errors are one row.

const GROUPS = {
  resource: (e) => e.error_category.toUpperCase().startsWith("RESOURCE_"),
  network: (e) => e.error_category.toUpperCase().startsWith("NETWORK_"),
  worker: (e) => e.error_category.toUpperCase().startsWith("WORKER_"),
  test: (e) => e.error_category.toUpperCase().startsWith("TEST_"),
  hardware: (e) => e.is_hardware_error,
  recurring: (e) => e.is_recurring,
};

export function matches(error, filters) {
  const any = (name, value) => !filters[name] || filters[name].includes(value);
  const text = [error.message, error.type, error.worker_id, error.error_category].join("\n").toLowerCase();
  return any("severity", error.severity) && any("category", error.error_category) && any("worker", error.worker_id)
    && any("type", error.type) && any("fingerprint", error.fingerprint)
    && any("hardware", error.hardware_context?.hardware_type ?? null)
    && (!filters.group || filters.group.some((name) => GROUPS[name]?.(error)))
    && (!filters.q || text.includes(filters.q[0].toLowerCase()));
}

// Rows of the list: the newest error of each pattern on each worker (a critical one is never hidden under a warning), and
// how many the list has of it.
export function fold(errors) {
  const rows = new Map();
  for (const error of errors) {
    const row = rows.get(key(error));
    if (row) row.count += 1; else rows.set(key(error), { error, count: 1 });
  }
  return [...rows.values()];
}

export function key(error) {
  return `${error.fingerprint} ${error.severity} ${error.worker_id}`;
}
