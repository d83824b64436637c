// The table of the most frequent patterns.

import { sparkline } from "./charts.js";
import { ago, element } from "./dom.js";
import { marked } from "./state_line.js";
import { link, not, table } from "./tables.js";

// `names.view(kind, id)` returns the address of a view, `names.without` the one that leaves it out.
// `since` is when the span begins: a pattern is new if its very first error is in the span.
export function draw(top, names, since) {
  const columns = [
    { head: "errors", number: true, cell: (row) => row.occurrences.toLocaleString() },
    { head: "trend", kind: "trend", cell: (row) => sparkline(row.trend, `${row.occurrences} errors over the time range`) },
    { head: "pattern", kind: "wide", cell: (row) => [marked(link(names.view("pattern", row.pattern_id), row.pattern), row.state), not(names.without("pattern", row.pattern_id), "pattern", row.pattern)] },
    { head: "workers", number: true, cell: (row) => row.workers.toLocaleString() },
    { head: "first", number: true, kind: "moment", cell: (row) => [isNew(row, since) ? element("span", { class: "new" }, "new") : "", " ", ago(row.ever_first_seen ?? row.first_seen)] },
    { head: "last", number: true, kind: "moment", cell: (row) => ago(row.last_seen) },
  ];
  table("patterns", columns, top);
}

function isNew({ ever_first_seen: first }, since) {
  return first != null && Date.parse(first) >= since;
}
