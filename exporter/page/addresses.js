// The addresses of the page that its parts link to. Each is of the state when it is asked for.

import { address, excluding, including, shut, viewAddress } from "./state.js";

// `only(field, value)`: the page with that filter alone, or with the details of the error `value`; `narrowed`: with the present
// filters and that one; `without`: with the present filters, but without what has that value; `all(error)`: all errors of the row
// of an error; `view(kind, id)`: the view of a pattern, worker, run or test.
export function addresses(state) {
  const filtered = (filters) => address({ ...shut(state), filters });
  const details = (id) => address({ ...state, error: String(id) });
  return {
    view: (kind, id) => viewAddress(state, kind, id),
    only: (field, value) => (field === "error" ? details(value) : filtered({ [field]: [String(value)] })),
    narrowed: (field, value) => (field === "error" ? details(value) : filtered(including(state.filters, field, String(value)))),
    without: (field, value) => filtered(excluding(state.filters, field, String(value))),
    all: ({ pattern_id: pattern, worker_id: worker, severity }) =>
      filtered({ ...state.filters, pattern: [pattern], worker: [worker], severity: [severity] }),
  };
}
