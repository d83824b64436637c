// One error, whole, in a dialog over the page; it has an address of its own.

import { element, severity, time } from "./dom.js";

const LIMITS = { "cpu.percent": 75, "memory.used_percent": 80, "disk.used_percent": 85 };

export async function show(dialog, id, { filter, close }) {
  const response = await fetch(`/api/errors/${encodeURIComponent(id)}`);
  const answer = await response.json();
  const body = response.ok ? content(answer.data, filter) : [element("p", {}, answer.message)];
  const shut = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  shut.onclick = () => dialog.close();
  dialog.replaceChildren(shut, ...body);
  dialog.onclose = close;
  if (!dialog.open) dialog.showModal();
}

function content(error, filter) {
  const link = (name, value, text) => {
    const made = element("a", { href: filter(name, value) }, text);
    return made;
  };
  return [
    element("h2", { id: "details-title" }, severity(error.severity), ` ${error.type}`),
    element("p", { class: "message" }, error.message || error.type),
    element("dl", { class: "facts" },
      ...fact("why", error.reasons.join(", ")),
      ...fact("when", time(error.timestamp), ` · ${error.timestamp}`),
      ...fact("worker", link("worker", error.worker_id, error.worker_id)),
      ...fact("category", link("category", error.error_category, error.error_category)),
      ...fact("pattern", link("fingerprint", error.fingerprint, `all errors of this pattern (${error.fingerprint})`)),
      ...fact("recurring", error.is_recurring ? "yes" : "no")),
    ...section("Traceback", error.traceback && copied(error.traceback)),
    ...section("Machine", table(error.system_context?.metrics)),
    ...section("GPUs", devices(error.system_context?.gpu_metrics?.devices)),
    ...section("Hardware", error.hardware_context && code(error.hardware_context)),
    ...section("Frequency, as the sender counted", error.error_frequency && code(error.error_frequency)),
    element("details", {}, element("summary", {}, "The report as it was sent"), code(error.report)),
  ];
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

function copied(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.onclick = async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Copying is not allowed"; }
  };
  const body = element("pre", { tabindex: "0" }, text);
  requestAnimationFrame(() => { body.scrollTop = body.scrollHeight; }); // the innermost frame is last
  return element("div", { class: "copied" }, button, body);
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
