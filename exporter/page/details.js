// The details of one error, in a dialog over the page. The URL holds the error's id.

import { ask } from "./api.js";
import { sparkline } from "./charts.js";
import { copy } from "./copy.js";
import { ago, element, severity, time } from "./dom.js";
import { keep } from "./keep.js";
import * as origin from "./origin.js";

// From the path of a value in `system_context.metrics` to the measurement's name in `reason_details`.
const MEASUREMENTS = { "cpu.percent": "cpu_percent", "memory.used_percent": "memory_percent", "disk.used_percent": "disk_percent", "disk.free_gb": "disk_free_percent" };
const POSSIBLE_CELSIUS = 150; // what is above is a sensor's blank
const WEEK = 168, NEIGHBOURS = 6;

let asked = 0, again = null;

// Opens the dialog at once and fills it when the answer arrives. `filter(name, value)` returns the URL of the page with that
// filter; `close()` is called when the dialog closes. An answer that arrives after a later call is dropped.
export async function show(dialog, id, { filter, close }) {
  const mine = ++asked;
  const moved = dialog.open;
  again = null;
  const shut = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  shut.onclick = () => dialog.close();
  const body = element("div", { tabindex: "-1", "aria-busy": "true" }, element("p", {}, "Loading…"));
  dialog.replaceChildren(element("div", { class: "tools" }, copy("Copy the link", () => location.href), shut), body);
  dialog.onclose = () => { asked += 1; again = null; close(); };
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  if (moved) body.focus(); // the element that had the focus was replaced
  try {
    const error = await ask(`/api/errors/${encodeURIComponent(id)}`);
    if (mine !== asked) return;
    body.replaceChildren(...content(error, filter));
    await drawRelated(body, error, filter, () => mine === asked);
  } catch (failure) {
    if (mine !== asked) return;
    if (failure.status !== 404) again = () => show(dialog, id, { filter, close });
    body.replaceChildren(element("p", {}, failure.status === 404 ? failure.message : "The service does not answer. The page tries again when it is back."));
  } finally {
    body.removeAttribute("aria-busy");
  }
}

// Repeats the last request if it failed.
export function retry() {
  again?.();
}

function content(error, filter) {
  const link = (name, value, text) => element("a", { href: filter(name, value) }, text);
  return [
    element("h2", { id: "details-title" }, severity(error.severity), ` ${error.type}`),
    element("p", { class: "message" }, error.message || error.type),
    element("dl", { class: "facts" },
      ...fact("why", error.reasons.join(", ")),
      ...fact("when", ago(error.timestamp), ` · ${new Date(error.timestamp).toLocaleString()} · ${error.timestamp}`, error.imported ? " · imported" : "",
        error.reported_at == null ? "" : element("p", { class: "reported" }, `reported as ${error.reported_at}, counted at its receipt`)),
      ...fact("worker", link("worker", error.worker_id, error.worker_id)),
      ...origin.facts(error, link).flatMap(([name, ...values]) => fact(name, ...values)),
      ...fact("category", link("category", error.error_category, error.error_category)),
      ...fact("pattern", link("pattern", error.pattern_id, `all errors of this pattern (${error.pattern_id})`)),
      ...fact("keep", ...keep("error", `/api/errors/${error.id}`, error.pinned), element("span", { id: "pattern-kept", class: "quiet" })),
      ...fact("frequency", element("span", { id: "frequency" }, "…"))),
    ...section("Warnings", error.warnings.length && element("ul", { class: "warnings" }, ...error.warnings.map((text) => element("li", {}, text)))),
    ...section("Traceback", error.traceback && traceback(error.traceback)),
    ...section("Machine", table(error.system_context?.metrics, error.reason_details)),
    ...section("GPUs", devices(error.system_context?.gpu_metrics?.devices, error.reason_details)),
    ...section("Devices", listed(error.devices)),
    ...section("Hardware", error.hardware_context && code(error.hardware_context)),
    ...section("Frequency, as the sender counted", error.error_frequency && code(error.error_frequency)),
    element("div", { id: "neighbours" }),
    element("details", {}, element("summary", {}, "The report as it was sent"), code(error.report)),
  ];
}

// Adds how often, since when and on which workers the service saw the pattern, and the latest errors of the same worker.
async function drawRelated(body, error, filter, wanted) {
  const near = new URLSearchParams({ worker: error.worker_id, time_range: WEEK, limit: NEIGHBOURS });
  const none = () => null; // if a request fails, the error is shown without this part
  const [pattern, neighbours] = await Promise.all([
    ask(`/api/patterns/${encodeURIComponent(error.pattern_id)}?time_range=${WEEK}`).catch(none), ask(`/api/errors/list?${near}`).catch(none)]);
  if (!wanted()) return;
  if (pattern?.pinned) body.querySelector("#pattern-kept").textContent = "its pattern is kept";
  const frequency = body.querySelector("#frequency");
  if (!pattern) frequency.textContent = "not seen in the last 7 d";
  else {
    frequency.replaceChildren(
      `${pattern.occurrences.toLocaleString()}× in the last 7 d on ${pattern.workers} ${pattern.workers === 1 ? "worker" : "workers"}: `,
      ...pattern.worker_stats.slice(0, NEIGHBOURS).flatMap((row, i) => [i ? ", " : "",
        element("a", { href: filter("worker", row.worker_id) }, row.worker_id), ` ${row.errors}×`]),
      pattern.workers > NEIGHBOURS ? ` and ${pattern.workers - NEIGHBOURS} more` : "", "; first ", ago(pattern.ever_first_seen ?? pattern.first_seen), ", last ", ago(pattern.last_seen), " ", sparkline(pattern.trend, "errors over the last 7 days"));
  }
  const others = (neighbours?.errors ?? []).filter((other) => other.id !== error.id);
  if (!others.length) return;
  body.querySelector("#neighbours").replaceChildren(element("h3", {}, "Latest on the same worker"),
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

function traceback(text) {
  const body = element("pre", { tabindex: "0" }, text);
  requestAnimationFrame(() => { body.scrollTop = body.scrollHeight; }); // the innermost frame is last
  return element("div", { class: "copied" }, copy("Copy", () => text), body);
}

// A table of the measurements; those beyond a threshold are marked with the reason.
function table(metrics, reasons) {
  const rows = [];
  for (const [part, values] of Object.entries(metrics ?? {})) {
    for (const [name, value] of Object.entries(values ?? {})) {
      const reason = reasons.find(({ measurement }) => measurement === MEASUREMENTS[`${part}.${name}`]);
      rows.push(element("tr", { class: reason ? "over" : null },
        element("th", { scope: "row" }, `${part} ${name.replaceAll("_", " ")}`),
        element("td", {}, value ?? "", reason ? ` ▲ ${reason.value < reason.limit ? "below" : "over"} the threshold: ${reason.text}` : "")));
    }
  }
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : null;
}

// A table of the devices that the error concerns, with the columns that at least one of them has.
function listed(list) {
  const head = ["kind", "index", "uuid", "serial", "pci"].filter((name) => list?.some((device) => device?.[name] != null));
  if (!head.length) return null;
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...list.map((device) => element("tr", {}, ...head.map((name) => element("td", {}, device?.[name] ?? ""))))));
}

function devices(list, reasons) {
  if (!list?.length) return null;
  const limit = reasons.find(({ measurement }) => measurement === "gpu_celsius")?.limit ?? Infinity;
  const over = ({ temperature }) => temperature > limit && temperature <= POSSIBLE_CELSIUS;
  const head = ["index", "name", "memory_utilization", "temperature"];
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name.replaceAll("_", " "))))),
    element("tbody", {}, ...list.map((device) => element("tr", { class: over(device) ? "over" : null },
      ...head.map((name) => element("td", {}, device[name] ?? "", name === "temperature" && over(device) ? ` ▲ over ${limit} °C` : ""))))));
}
