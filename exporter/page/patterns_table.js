// The table of the most frequent patterns, or of the new ones.

import { sparkline } from "./charts.js";
import { ago, element } from "./dom.js";
import { NewPatterns, isNew } from "./new_patterns.js";
import { marked } from "./state_line.js";
import { link, not, only, table } from "./tables.js";

const MOST_NEW = 200;
let fresh = null, last = null;

// `names.view(kind, id)` returns the address of a view, `names.narrowed` the one of the page with only that pattern,
// `names.without` the one that leaves it out. `since` is when the span begins: a pattern is new if its very first error is in
// the span. Returns the number of patterns.
export function draw(top, names, since) {
  last = [top, names, since];
  const rows = fresh?.on ? fresh.rows(top, since) : top;
  const columns = [
    { head: "errors", number: true, cell: (row) => row.occurrences.toLocaleString() },
    { head: "trend", kind: "trend", cell: (row) => sparkline(row.trend, `${row.occurrences} errors over the time range`) },
    { head: "pattern", kind: "wide", cell: (row) => [marked(link(names.view("pattern", row.pattern_id), row.pattern), row.state),
      only(names.narrowed("pattern", row.pattern_id), "pattern", row.pattern, row.pattern_id),
      not(names.without("pattern", row.pattern_id), "pattern", row.pattern, row.pattern_id)] },
    { head: "workers", number: true, cell: (row) => row.workers.toLocaleString() },
    { head: "first", number: true, kind: "moment", cell: (row) => [isNew(row, since) ? element("span", { class: "new" }, "new") : "", " ", ago(row.ever_first_seen ?? row.first_seen)] },
    { head: "last", number: true, kind: "moment", cell: (row) => ago(row.last_seen) },
  ];
  table("patterns", columns, rows, { most: MOST_NEW, none: fresh?.on ? fresh.none : undefined });
  return rows.length;
}

// The button beside the title shows only the patterns that were never seen before the span.
export function bindNewOnly(state) {
  const button = document.getElementById("new-only"), title = document.getElementById("patterns-title");
  fresh = new NewPatterns(state, () => {
    title.textContent = fresh.on ? "New patterns" : "Top patterns";
    button.setAttribute("aria-pressed", String(fresh.on));
    return last ? draw(...last) : 0;
  });
  button.onclick = () => fresh.toggle();
}
