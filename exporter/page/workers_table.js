// The table of workers: how each is now, which does not depend on the span, and what it reported in the span.

import { ago, element } from "./dom.js";
import { drainMark } from "./state_line.js";
import { link, not, only, table } from "./tables.js";

const SHOWN = 10;
const STATES = { critical: "▲", silent: "■", warning: "◆", recovering: "◐", stable: "●" };
const RANK = Object.keys(STATES);
let all = false;

// `names` as in patterns_table.js.
export function draw({ worker_stats: workers, total }, names) {
  const knowsNow = workers.some((row) => row.now);
  const now = (row) => row.now ?? row.status;
  const at = (name) => (row) => (row[name] ? Date.parse(row[name]) : null);
  const moment = (name) => (row) => (row[name] ? ago(row[name]) : "–");
  const columns = [
    { head: "worker", kind: "name", sort: (row) => row.worker_id, cell: (row) => [link(names.view("worker", row.worker_id), row.worker_id), only(names.narrowed("worker", row.worker_id), "worker", row.worker_id),
      not(names.without("worker", row.worker_id), "worker", row.worker_id)] },
    { head: knowsNow ? "now" : "status", sort: (row) => RANK.length - RANK.indexOf(now(row)), cell: (row) => [status(now(row), row.reason), drainMark(row.drained)], title: "does not depend on the span of time" },
    { head: "errors", number: true, sort: (row) => row.error_count, cell: (row) => row.error_count.toLocaleString() },
    { head: "critical", number: true, sort: (row) => row.critical_errors, cell: (row) => (row.critical_errors ? element("span", { class: "count critical" }, row.critical_errors.toLocaleString()) : "0") },
    { head: "silent since", number: true, kind: "moment", sort: at("silent_since"), cell: moment("silent_since") },
    { head: "last critical", number: true, kind: "moment", sort: at("last_critical_time"), cell: moment("last_critical_time") },
    { head: "last", number: true, kind: "moment", sort: at("last_error_time"), cell: moment("last_error_time") },
    { head: "most common", kind: "side", sort: (row) => row.most_common_error, cell: (row) => element("span", { class: "text", title: row.most_common_error || "no error in this span" }, row.most_common_error || "–") },
  ].filter(({ head }) => knowsNow || !["last critical", "silent since"].includes(head));
  const rows = workers.toSorted((a, b) => RANK.indexOf(now(a)) - RANK.indexOf(now(b)) || b.error_count - a.error_count);
  const button = document.getElementById("all-workers"), said = words(workers.length, total);
  const put = () => {
    table("workers", columns, rows, { first: [knowsNow ? "now" : "status", "descending"], most: all ? undefined : SHOWN });
    button.textContent = all ? `Show the first ${SHOWN} workers` : said.show;
  };
  const note = document.getElementById("more-workers");
  note.hidden = !said.rest;
  note.textContent = said.rest;
  button.hidden = workers.length <= SHOWN;
  button.onclick = () => { all = !all; put(); };
  put();
}

// The text of the button that shows all `listed` of `total` workers, and of the note about those that are not listed.
export function words(listed, total) {
  const count = total.toLocaleString(), others = total - listed;
  if (others <= 0) return { show: `Show all ${count} workers`, rest: "" };
  const rest = others === 1 ? "1 more worker is not in this table; filter to see it." : `${others.toLocaleString()} more workers are not in this table; filter to see them.`;
  return { show: `Show the first ${listed.toLocaleString()} of ${count} workers`, rest };
}

export function status(word, reason) {
  return element("span", { class: `severity ${word}`, title: reason ?? null }, `${STATES[word] ?? "○"} ${word}`);
}
