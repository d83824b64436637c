// A row of the list of errors.

import { counted, element, severity, time } from "./dom.js";
import { key } from "./match.js";
import { not } from "./tables.js";

const TITLE = 500;

// `names` is {narrowed, without, all}: functions that return an address of the page, of a field and a value, and (`all`) of an
// error, to list all that its row stands for. `open(id)` shows an error's details. `more` says that the service may have further
// errors for this row that are not loaded yet.
export function row({ error, count }, more, { names, open }) {
  const text = error.message || error.type;
  const link = element("a", { class: "message", title: text.slice(0, TITLE) }, text);
  link.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(error.id);
  };
  const repeats = element("a", { class: "count", title: `list all of them${more ? "; the number counts only loaded errors" : ""}` },
    `×${count}${more ? "+" : ""}`);
  const word = severity(error.severity);
  word.title = `why: ${error.reasons.join(", ")}`;
  const made = element("li", { "data-id": error.id, "data-count": count, "data-key": key(error), "data-as": identity({ error, count }, more) },
    element("span", { class: "when" }, time(error.timestamp), counted(error)), word,
    element("a", { class: "worker", title: error.worker_id }, error.worker_id),
    element("span", { class: "kind", title: `${error.error_category} · ${error.type}` }, error.type),
    element("span", { class: "what" }, link), count > 1 ? repeats : "", not("", "pattern", "of this error", error.pattern_id));
  return address(made, error, names);
}

// Rows with the same identity are reused, not built again.
export function identity({ error, count }, more) {
  return `${error.id}×${count}${more ? "+" : ""}`;
}

// Sets the links of a row, which change with the range and the filters.
export function address(made, error, names) {
  made.querySelector("a.message").setAttribute("href", names.narrowed("error", error.id));
  made.querySelector("a.count")?.setAttribute("href", names.all(error));
  Object.assign(made.querySelector(".not").dataset, { value: error.pattern_id, to: names.without("pattern", error.pattern_id) });
  made.querySelector("a.worker").setAttribute("href", names.view("worker", error.worker_id));
  return made;
}
