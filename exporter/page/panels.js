// The panels around the list: by category, patterns, workers, hardware. Each chart has the same data as its table.

import { draw as chart } from "./charts.js";
import { element, replaceQuietly, severity, time } from "./dom.js";
import * as patterns from "./patterns_table.js";
import { link, not } from "./tables.js";
import * as workers from "./workers_table.js";

const SHOWN = 10, RECENT = 6;

// `names` is {narrowed, without}: functions of a field and a value that return the address of the page narrowed to the value, and
// without it. `go(url)` opens one. `since` is when the span begins, in milliseconds.
export function draw(data, names, go, since) {
  const bars = (id, title, what) => chart(id, title, what, go);
  bars("by-category", "errors by category", byCategory(data.error_distribution, names.narrowed));
  drawPatterns(data.error_patterns, names, bars);
  patterns.draw(data.error_patterns.top_patterns, names, since);
  drawWorkers(data, names, bars);
  workers.draw(data.worker_errors, names);
  drawHardware(data.hardware_errors, names, bars);
}

// Draws the tables that say states again.
export function drawStates({ error_patterns: found, worker_errors: of }, names, since) {
  patterns.draw(found.top_patterns, names, since);
  workers.draw(of, names);
}

function byCategory({ categories, other_categories: others }, filter) {
  const shown = categories.slice(0, SHOWN);
  const rest = categories.slice(SHOWN);
  note("category-rest", rest.length + others.categories, ["category", "categories"], others.count + rest.reduce((sum, row) => sum + row.count, 0));
  return {
    head: "category", across: true, labels: shown.map((row) => row.category), links: shown.map((row) => filter("category", row.category)),
    series: [{ name: "errors", ink: "accent", values: shown.map((row) => row.count) }],
  };
}

function drawPatterns({ categories }, names, bars) {
  const shown = categories.slice(0, SHOWN);
  bars("pattern-categories", "patterns by category", {
    head: "category", across: true, labels: shown.map((row) => row.category), links: shown.map((row) => names.narrowed("category", row.category)),
    series: [
      { name: "recurring", ink: "warning", values: shown.map((row) => row.recurring_patterns) },
      { name: "once or rare", ink: "info", values: shown.map((row) => row.patterns - row.recurring_patterns) },
    ],
  });
}

// The workers with most errors; the table has those without, too.
function drawWorkers({ worker_errors: { worker_stats: workers, with_errors: reporting }, summary }, names, bars) {
  const shown = workers.slice(0, SHOWN).filter((row) => row.error_count > 0);
  bars("by-worker", "errors by worker", {
    head: "worker", across: true, labels: shown.map((row) => row.worker_id), links: shown.map((row) => names.narrowed("worker", row.worker_id)),
    series: [
      { name: "critical", ink: "critical", values: shown.map((row) => row.critical_errors) },
      { name: "other", ink: "info", values: shown.map((row) => row.error_count - row.critical_errors) },
    ],
  });
  note("worker-rest", reporting - shown.length, ["worker", "workers"], summary.total_errors - shown.reduce((sum, row) => sum + row.error_count, 0));
}

function drawHardware({ hardware_status: all, recent_errors: recent }, { narrowed: filter, without }, bars) {
  const shown = Object.entries(all).slice(0, SHOWN);
  bars("by-hardware", "errors an hour by hardware", {
    head: "hardware", across: true, labels: shown.map(([name]) => name), links: shown.map(([name]) => filter("hardware", name)),
    series: [{ name: "errors an hour", ink: "accent", values: shown.map(([, row]) => Number(row.error_rate.toFixed(2))) }],
  });
  replaceQuietly(document.getElementById("hardware"), ...shown.map(([name, row]) => element("li", { class: "machine" },
    element("h3", {}, link(filter("hardware", name), name), not(without("hardware", name), "hardware", name), workers.status(row.now ?? row.status)),
    element("p", { class: "quiet" }, `${many(row.error_count, "error", "errors")}, most common ${row.most_common_error}`),
    element("dl", { class: "facts" }, ...[
      ["CPU", row.metrics.cpu_percent, "% avg"], ["memory", row.metrics.memory_percent, "% avg"],
      ["disk", row.metrics.disk_percent, "% avg"], ["GPU", row.metrics.max_gpu_celsius, "°C max"],
      ["overheating", row.metrics.overheating || null, "reports"], ["memory pressure", row.metrics.memory_pressure || null, "reports"],
      ["throttling", row.metrics.throttling || null, "reports"],
    ].filter(([, value]) => value != null).flatMap(([label, value, unit]) => [
      element("dt", {}, label), element("dd", {}, `${value.toFixed(0)} ${unit}`)])))));
  replaceQuietly(document.getElementById("hardware-errors"), ...recent.slice(0, RECENT).map((error) => element("li", {}, time(error.timestamp), " ", severity(error.severity), " ",
    element("a", { href: filter("error", error.id), class: "text" }, `${error.worker_id}: ${error.message || error.type}`))));
  document.getElementById("hardware-panel").hidden = !shown.length && !recent.length;
}

function note(id, count, what, errors) {
  document.getElementById(id).textContent = count > 0 ? `and ${many(count, `more ${what[0]}`, `more ${what[1]}`)} with ${many(errors, "error", "errors")}` : "";
}

function many(count, one, others) {
  return `${count.toLocaleString()} ${count === 1 ? one : others}`;
}
