// The panels around the list: by category, patterns, workers, hardware. Each chart has the same data as its table.

import { draw as chart, sparkline } from "./charts.js";
import { ago, element, replaceQuietly, severity, time } from "./dom.js";

const STATUS = { critical: "▲", warning: "◆", stable: "●" };
const SHOWN = 10, RECENT = 6;

let allWorkers = false;

// `filter(name, value)` returns the URL of the page with that filter; `go(url)` opens it.
export function draw(data, filter, go) {
  const bars = (id, title, what) => chart(id, title, what, go);
  bars("by-category", "errors by category", byCategory(data.error_distribution, filter));
  drawPatterns(data, filter, bars);
  drawWorkers(data, filter, bars);
  drawHardware(data, filter, bars);
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

function drawPatterns({ error_patterns: { top_patterns: top, categories } }, filter, bars) {
  const shown = categories.slice(0, SHOWN);
  bars("pattern-categories", "patterns by category", {
    head: "category", across: true, labels: shown.map((row) => row.category), links: shown.map((row) => filter("category", row.category)),
    series: [
      { name: "recurring", ink: "warning", values: shown.map((row) => row.recurring_patterns) },
      { name: "once or rare", ink: "info", values: shown.map((row) => row.patterns - row.recurring_patterns) },
    ],
  });
  replaceQuietly(document.getElementById("patterns"), ...top.map((row) => element("li", {},
    link(filter, "pattern", row.pattern_id, row.pattern),
    element("strong", {}, `${row.occurrences.toLocaleString()}×`), sparkline(row.trend, `${row.occurrences} errors over the time range`),
    element("span", { class: "quiet" }, `${many(row.workers, "worker", "workers")} · ${row.category} · first `,
      ago(row.first_seen), ", last ", ago(row.last_seen)))));
}

// The chart shows the workers with most errors; the table sorts by status and shows all workers after a click.
function drawWorkers({ worker_errors: { worker_stats: workers } }, filter, bars) {
  const shown = workers.slice(0, SHOWN);
  bars("by-worker", "errors by worker", {
    head: "worker", across: true, labels: shown.map((row) => row.worker_id), links: shown.map((row) => filter("worker", row.worker_id)),
    series: [
      { name: "critical", ink: "critical", values: shown.map((row) => row.critical_errors) },
      { name: "other", ink: "info", values: shown.map((row) => row.error_count - row.critical_errors) },
    ],
  });
  const rank = (row) => Object.keys(STATUS).indexOf(row.status);
  const worst = workers.toSorted((a, b) => rank(a) - rank(b) || b.error_count - a.error_count);
  const rows = () => worst.slice(0, allWorkers ? undefined : SHOWN).map((row) => [
    link(filter, "worker", row.worker_id), status(row.status), row.error_count.toLocaleString(), breakable(row.most_common_error),
    ago(row.last_error_time)]);
  const drawTable = () => {
    table("workers", ["worker", "status", "errors", "most common", "last"], rows());
    button.textContent = allWorkers ? `Show the first ${SHOWN} workers` : `Show all ${workers.length.toLocaleString()} workers`;
  };
  const button = document.getElementById("all-workers");
  button.hidden = workers.length <= SHOWN;
  button.onclick = () => { allWorkers = !allWorkers; drawTable(); };
  drawTable();
  note("worker-rest", workers.length - shown.length, ["worker", "workers"], workers.slice(SHOWN).reduce((sum, row) => sum + row.error_count, 0));
}

function drawHardware({ hardware_errors: { hardware_status: all, recent_errors: recent } }, filter, bars) {
  const shown = Object.entries(all).slice(0, SHOWN);
  bars("by-hardware", "errors an hour by hardware", {
    head: "hardware", across: true, labels: shown.map(([name]) => name), links: shown.map(([name]) => filter("hardware", name)),
    series: [{ name: "errors an hour", ink: "accent", values: shown.map(([, row]) => Number(row.error_rate.toFixed(2))) }],
  });
  replaceQuietly(document.getElementById("hardware"), ...shown.map(([name, row]) => element("li", { class: "machine" },
    element("h3", {}, link(filter, "hardware", name)), status(row.status),
    element("p", {}, `${many(row.error_count, "error", "errors")}, most common ${row.most_common_error}`),
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

export function table(id, head, rows) {
  replaceQuietly(document.getElementById(id), rows.length
    ? element("table", {},
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))))
    : element("p", { class: "quiet" }, "none in this time range"));
}

export function link(filter, name, value, text = value) {
  return element("a", { href: filter(name, value), title: text, class: "text" }, text);
}

// A name in camel case that may break between words.
function breakable(name) {
  const words = name.split(/(?<=[a-z])(?=[A-Z])/);
  return element("span", {}, ...words.flatMap((word, i) => (i ? [element("wbr"), word] : [word])));
}

function status(word) {
  return element("span", { class: `severity ${word}` }, `${STATUS[word]} ${word}`);
}

function note(id, count, what, errors) {
  document.getElementById(id).textContent = count > 0 ? `and ${many(count, `more ${what[0]}`, `more ${what[1]}`)} with ${many(errors, "error", "errors")}` : "";
}

function many(count, one, others) {
  return `${count.toLocaleString()} ${count === 1 ? one : others}`;
}
