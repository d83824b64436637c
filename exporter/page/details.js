// One error, whole, in a dialog over the page; it has an address of its own.

import { sparkline } from "./charts.js";
import { ago, element, severity, time } from "./dom.js";

const LIMITS = { "cpu.percent": 75, "memory.used_percent": 80, "disk.used_percent": 85 };
const WEEK = 168, NEIGHBOURS = 6;

// `filter(name, value)` is the address of the page with that filter; `close()` is called when the reader is done.
export async function show(dialog, id, { filter, close }) {
  const answer = await get(`/api/errors/${encodeURIComponent(id)}`);
  const body = answer.data ? content(answer.data, filter) : [element("p", {}, answer.message)];
  const shut = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  shut.onclick = () => dialog.close();
  dialog.replaceChildren(element("div", { class: "tools" }, copy("Copy the link", () => location.href), shut), ...body);
  dialog.onclose = close;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  if (answer.data) await drawRelated(dialog, answer.data, filter);
}

async function get(path) {
  const response = await fetch(path);
  return response.json();
}

function content(error, filter) {
  const link = (name, value, text) => element("a", { href: filter(name, value) }, text);
  return [
    element("h2", { id: "details-title" }, severity(error.severity), ` ${error.type}`),
    element("p", { class: "message" }, error.message || error.type),
    element("dl", { class: "facts" },
      ...fact("why", error.reasons.join(", ")),
      ...fact("when", ago(error.timestamp), ` · ${new Date(error.timestamp).toLocaleString()} · ${error.timestamp}`),
      ...fact("worker", link("worker", error.worker_id, error.worker_id)),
      ...fact("category", link("category", error.error_category, error.error_category)),
      ...fact("pattern", link("fingerprint", error.fingerprint, `all errors of this pattern (${error.fingerprint})`)),
      ...fact("frequency", element("span", { id: "frequency" }, "…"))),
    ...section("Traceback", error.traceback && traceback(error.traceback)),
    ...section("Machine", table(error.system_context?.metrics)),
    ...section("GPUs", devices(error.system_context?.gpu_metrics?.devices)),
    ...section("Hardware", error.hardware_context && code(error.hardware_context)),
    ...section("Frequency, as the sender counted", error.error_frequency && code(error.error_frequency)),
    element("div", { id: "neighbours" }),
    element("details", {}, element("summary", {}, "The report as it was sent"), code(error.report)),
  ];
}

// How often, since when and on which workers: as we counted. And what else happened on the worker.
async function drawRelated(dialog, error, filter) {
  const near = new URLSearchParams({ worker: error.worker_id, time_range: WEEK, limit: NEIGHBOURS });
  const [{ data: pattern }, { data: neighbours }] = await Promise.all([
    get(`/api/patterns/${encodeURIComponent(error.fingerprint)}?time_range=${WEEK}`), get(`/api/errors/list?${near}`)]);
  if (pattern) {
    dialog.querySelector("#frequency").replaceChildren(
      `${pattern.occurrences.toLocaleString()}× in the last 7 d on ${pattern.workers} ${pattern.workers === 1 ? "worker" : "workers"}: `,
      ...pattern.worker_stats.slice(0, NEIGHBOURS).flatMap((row, i) => [i ? ", " : "",
        element("a", { href: filter("worker", row.worker_id) }, row.worker_id), ` ${row.errors}×`]),
      "; first ", ago(pattern.ever_first_seen ?? pattern.first_seen), ", last ", ago(pattern.last_seen), " ", sparkline(pattern.trend, "errors over the last 7 days"));
  }
  const others = (neighbours?.errors ?? []).filter((other) => other.id !== error.id);
  if (!others.length) return;
  dialog.querySelector("#neighbours").replaceChildren(element("h3", {}, "Latest on the same worker"),
    element("ul", { class: "plain" }, ...others.map((other) => element("li", {}, time(other.timestamp), " ", severity(other.severity), " ",
      element("a", { href: filter("error", other.id), class: "text" }, other.message || other.type)))));
}

function fact(name, ...values) {
  return [element("dt", {}, name), element("dd", {}, ...values)];
}

function section(title, body) {
  return body ? [element("h3", {}, title), body] : [];
}

function code(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

function copy(label, text) {
  const button = element("button", { type: "button" }, label);
  button.onclick = async () => {
    try { await navigator.clipboard.writeText(text()); button.textContent = "Copied"; } catch { button.textContent = "Copying is not allowed"; }
  };
  return button;
}

function traceback(text) {
  const body = element("pre", { tabindex: "0" }, text);
  requestAnimationFrame(() => { body.scrollTop = body.scrollHeight; }); // the innermost frame is last
  return element("div", { class: "copied" }, copy("Copy", () => text), body);
}

function table(metrics) {
  const rows = [];
  for (const [part, values] of Object.entries(metrics ?? {})) {
    for (const [name, value] of Object.entries(values ?? {})) {
      const over = value > (LIMITS[`${part}.${name}`] ?? Infinity);
      rows.push(element("tr", { class: over ? "over" : null },
        element("th", { scope: "row" }, `${part} ${name.replaceAll("_", " ")}`),
        element("td", {}, value ?? "", over ? " ▲ over the threshold" : "")));
    }
  }
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : null;
}

function devices(list) {
  if (!list?.length) return null;
  const head = ["index", "name", "memory_utilization", "temperature"];
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name.replaceAll("_", " "))))),
    element("tbody", {}, ...list.map((device) => element("tr", { class: device.temperature > 85 ? "over" : null },
      ...head.map((name) => element("td", {}, device[name] ?? ""))))));
}
