// The view of one error: what, when, where and why, how often, the contexts as tables, and what happened around it.

import { ask } from "./api.js";
import { sparkline } from "./charts.js";
import { copy } from "./copy.js";
import { full } from "./dates.js";
import { ago, element, severity } from "./dom.js";
import { asCurl, asMarkdown, asText, issueAddress } from "./error_text.js";
import { flat } from "./flat.js";
import { keep } from "./keep.js";
import { measurements, shown, structs } from "./metrics.js";
import * as origin from "./origin.js";
import { linkTo } from "./span_picker.js";
import { errorRows, section as part } from "./view_parts.js";

// From the path of a value in `system_context.metrics` to the measurement's name in `reason_details`.
const MEASUREMENTS = { "cpu.percent": "cpu_percent", "memory.used_percent": "memory_percent", "disk.used_percent": "disk_percent", "disk.free_gb": "disk_free_percent" };
const POSSIBLE_CELSIUS = 150; // what is above is a sensor's blank
const WEEK = 168, WORKERS = 6, AROUND_MS = 300_000;

// As view.js says of each view.
export async function draw(body, id, tools) {
  const error = await ask(`/api/errors/${encodeURIComponent(id)}`);
  if (!tools.wanted()) return;
  const near = { from: new Date(Date.parse(error.timestamp) - AROUND_MS).toISOString(), to: new Date(Date.parse(error.timestamp) + AROUND_MS).toISOString() };
  const around = errorRows({ ...tools, span: near }, { worker: [error.worker_id] }, { marked: error.id, named: false, none: "nothing" });
  body.replaceChildren(...content(error, tools, around.place));
  drawSteps(error, tools); // not awaited: the list may come later
  await Promise.all([drawFrequency(body, error, tools), around.ready]);
}

// The errors before and after it in the page's list.
async function drawSteps(error, { list, step, visit, wanted }) {
  const { newer, older } = await list.beside(error).catch(() => ({}));
  if (!wanted()) return;
  const to = (other) => other && (() => visit.go({ error: String(other) }, { replace: true }));
  step({ newer: to(newer), older: to(older) });
}

function content(error, { filter, view, state }, around) {
  const link = (name, value, text) => element("a", { href: filter(name, value) }, text);
  const toView = (name, value, text) => (name === "run" || name === "test" ? element("a", { href: view(name, value) }, text) : link(name, value, text));
  const { system_context: system, reason_details: reasons } = error;
  return [
    element("h2", { id: "details-title" }, severity(error.severity), ` ${error.type}`),
    element("p", { class: "message", tabindex: "0", role: "region", "aria-label": "Message" }, error.message || error.type),
    copies(error, linkTo(state)),
    element("dl", { class: "facts" },
      ...fact("why", error.reasons.join(", ")),
      ...fact("when", ago(error.timestamp), ` · ${full(error.timestamp)} · ${error.timestamp}`, error.imported ? " · imported" : "",
        error.reported_at == null ? "" : element("p", { class: "reported" }, `reported as ${error.reported_at}, counted at its receipt`)),
      ...fact("worker", element("a", { href: view("worker", error.worker_id) }, error.worker_id)),
      ...origin.facts(error, toView).flatMap(([name, ...values]) => fact(name, ...values)),
      ...fact("category", link("category", error.error_category, error.error_category)),
      ...fact("pattern", element("a", { href: view("pattern", error.pattern_id) }, `all errors of this pattern (${error.pattern_id})`)),
      ...fact("keep", ...keep("error", `/api/errors/${error.id}`, error.pinned), element("span", { id: "pattern-kept", class: "quiet" })),
      ...fact("frequency", element("span", { id: "frequency" }, "…"))),
    ...section("Warnings", error.warnings.length && element("ul", { class: "warnings" }, ...error.warnings.map((text) => element("li", {}, text)))),
    ...section("Traceback", error.traceback && traceback(error.traceback)),
    ...section("Machine", table(system?.metrics, reasons)),
    ...section("GPUs", devices(system?.gpu_metrics?.devices, reasons)),
    ...section("Devices", listed(error.devices)),
    ...section("Hardware", flat(error.hardware_context)),
    ...section("Frequency, as the sender counted", flat(error.error_frequency)),
    element("div", { id: "neighbours" }, part("On the same worker, five minutes before and after", around)),
    element("details", {}, element("summary", {}, "The report as it was sent"), code(error.report)),
  ];
}

// What puts the error elsewhere: as a text, and an issue where the service has an address for them.
function copies(error, url) {
  const issue = issueAddress(document.documentElement.dataset.issueUrl ?? "", error, url);
  return element("p", { class: "copies" }, copy("Copy as text", () => asText(error, url)), copy("Copy as Markdown", () => asMarkdown(error, url)),
    copy("Copy as curl", () => asCurl(error.id, location.origin, document.documentElement.dataset.scopes !== undefined)),
    issue ? element("a", { class: "issue", href: issue, target: "_blank", rel: "noopener noreferrer" }, "File an issue ↗") : "");
}

// Adds how often, since when and on which workers the service saw the pattern.
async function drawFrequency(body, error, { view, wanted }) {
  const pattern = await ask(`/api/patterns/${encodeURIComponent(error.pattern_id)}?time_range=${WEEK}`).catch(() => null); // shown without it
  if (!wanted()) return;
  if (pattern?.pinned) body.querySelector("#pattern-kept").textContent = "its pattern is kept";
  const frequency = body.querySelector("#frequency");
  if (!pattern) return void (frequency.textContent = "not seen in the last 7 d");
  const more = pattern.workers - WORKERS;
  frequency.replaceChildren(
    `${pattern.occurrences.toLocaleString()}× in the last 7 d on ${pattern.workers} ${pattern.workers === 1 ? "worker" : "workers"}: `,
    ...pattern.worker_stats.slice(0, WORKERS).flatMap((row, i) => [i ? ", " : "",
      element("a", { href: view("worker", row.worker_id) }, row.worker_id), ` ${row.errors}×`]),
    more > 0 ? ` and ${more.toLocaleString()} more` : "",
    "; first ", ago(pattern.ever_first_seen ?? pattern.first_seen), ", last ", ago(pattern.last_seen), " ", sparkline(pattern.trend, "errors over the last 7 days"));
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
  const { rows, cut } = measurements(metrics);
  if (!rows.length) return null;
  const made = rows.map(({ part, name, text }) => {
    const reason = reasons.find(({ measurement }) => measurement === MEASUREMENTS[`${part}.${name}`]);
    return element("tr", { class: reason ? "over" : null },
      element("th", { scope: "row" }, `${part} ${name.replaceAll("_", " ")}`),
      element("td", {}, text, reason ? ` ▲ ${reason.value < reason.limit ? "below" : "over"} the threshold: ${reason.text}` : ""));
  });
  const note = cut ? [element("p", { class: "quiet" }, `These are the first ${rows.length} values; the report below has all of them.`)] : [];
  return element("div", {}, element("table", {}, element("tbody", {}, ...made)), ...note);
}

// A table of the devices that the error concerns, with the columns that at least one of them has.
function listed(all) {
  const list = structs(all), head = ["kind", "index", "uuid", "serial", "pci"].filter((name) => list.some((device) => device[name] != null));
  if (!head.length) return null;
  return grid(head, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...list.map((device) => element("tr", {}, ...head.map((name) => element("td", {}, shown(device[name]))))))));
}

function devices(all, reasons) {
  const list = structs(all);
  if (!list.length) return null;
  const limit = reasons.find(({ measurement }) => measurement === "gpu_celsius")?.limit ?? Infinity;
  const over = ({ temperature }) => temperature > limit && temperature <= POSSIBLE_CELSIUS;
  const head = ["index", "name", "memory_utilization", "temperature", ...["utilization", "power_watts", "clock_mhz"].filter((name) =>
    list.some((device) => device[name] != null))];
  return grid(head, element("table", { class: "gpus" },
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name.replaceAll("_", " "))))),
    element("tbody", {}, ...list.map((device) => element("tr", { class: over(device) ? "over" : null },
      ...head.map((name) => element("td", {}, shown(device[name]), name === "temperature" && over(device) ? ` ▲ over ${limit} °C` : "")))))));
}

// A wide table scrolls by itself.
function grid(head, made) {
  return element("div", { class: "grid", role: "region", tabindex: "0", "aria-label": `Table with ${head.join(", ").replaceAll("_", " ")}` }, made);
}
