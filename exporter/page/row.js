// A row of the list of errors.

import { counted, element, severity, time } from "./dom.js";
import { key } from "./match.js";

// `filter(name, value)` returns the URL of the page with that filter; `open(id)` shows an error's details. `more` says that
// the service may have further errors for this row that are not loaded yet.
export function row({ error, count }, more, { filter, open }) {
  const link = element("a", { class: "message" }, error.message || error.type);
  link.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(error.id);
  };
  const repeats = element("a", { class: "count", title: `show all errors of this pattern${more ? "; the number counts only loaded errors" : ""}` },
    `×${count}${more ? "+" : ""}`);
  const made = element("li", { "data-id": error.id, "data-count": count, "data-key": key(error), "data-as": identity({ error, count }, more) },
    element("span", { class: "when" }, time(error.timestamp), counted(error)), severity(error.severity),
    element("a", { class: "worker" }, error.worker_id),
    element("span", { class: "kind" }, `${error.error_category} · ${error.type}`),
    count > 1 ? repeats : "",
    link,
    element("span", { class: "reasons" }, `why: ${error.reasons.join(", ")}`));
  return address(made, error, filter);
}

// Rows with the same identity are reused, not built again.
export function identity({ error, count }, more) {
  return `${error.id}×${count}${more ? "+" : ""}`;
}

// Sets the links of a row, which change with the range and the filters.
export function address(made, error, filter) {
  made.querySelector("a.message").setAttribute("href", filter("error", error.id));
  made.querySelector("a.worker").setAttribute("href", filter("view", `worker:${error.worker_id}`));
  made.querySelector("a.count")?.setAttribute("href", filter("pattern", error.pattern_id));
  return made;
}
