// The panels beside the list: distribution, patterns, workers, hardware. Tables whose bars are meters: they need no
// library, and a screen reader reads them.

import { element, time } from "./dom.js";

const STATUS = { critical: "▲", warning: "◆", stable: "●" };
const SHOWN = 10;

export function draw(data, filter) {
  const { categories, other_categories: others } = data.error_distribution;
  panel("categories", ["category", "errors"], categories.slice(0, SHOWN).map((row) => [
    link(filter, "category", row.category), bar(row.count, data.summary.total_errors, row.category)]),
  more(categories.length + others.categories - SHOWN, "categories"));
  panel("patterns", ["pattern", "errors", "workers", "last"], data.error_patterns.top_patterns.map((row) => [
    link(filter, "fingerprint", row.fingerprint, row.pattern), bar(row.occurrences, data.summary.total_errors, row.pattern),
    row.workers, time(row.last_seen)]));
  const workers = data.worker_errors.worker_stats;
  panel("workers", ["worker", "status", "errors", "most common"], workers.slice(0, SHOWN).map((row) => [
    link(filter, "worker", row.worker_id), status(row.status), bar(row.error_count, data.summary.total_errors, row.worker_id),
    row.most_common_error]), more(workers.length - SHOWN, "workers"));
  panel("hardware", ["hardware", "status", "errors an hour", "most common", "CPU", "memory", "GPU at most"],
    Object.entries(data.hardware_errors.hardware_status).slice(0, SHOWN).map(([name, row]) => [
      link(filter, "hardware", name), status(row.status), row.error_rate.toFixed(1), row.most_common_error,
      unit(row.metrics.cpu_percent, "%"), unit(row.metrics.memory_percent, "%"), unit(row.metrics.max_gpu_celsius, "°C")]));
}

function panel(name, head, rows, note = "") {
  const body = document.getElementById(name);
  body.replaceChildren(rows.length
    ? element("table", {},
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))))
    : element("p", { class: "quiet" }, "none in this time range"), ...(note ? [element("p", { class: "quiet" }, note)] : []));
}

function link(filter, name, value, text = value) {
  return element("a", { href: filter(name, value), title: text }, text);
}

function status(word) {
  return element("span", { class: `severity ${word}` }, `${STATUS[word]} ${word}`);
}

function bar(count, total, label) {
  return element("span", { class: "bar" },
    element("meter", { min: 0, max: Math.max(total, 1), value: count, "aria-label": `${label}: ${count} of ${total}` }),
    ` ${count.toLocaleString()}`);
}

function unit(value, name) {
  return value == null ? "" : `${value.toFixed(0)} ${name}`;
}

function more(count, what) {
  return count > 0 ? `and ${count.toLocaleString()} more ${what}` : "";
}
