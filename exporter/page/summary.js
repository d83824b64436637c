// The answer to the first question: is it bad? One sentence, and a card for each thing that is counted.

import { sparkline } from "./charts.js";
import { element } from "./dom.js";
import { RANGES } from "./state.js";

const RECENT_MS = 300_000;
const MOST = 0.5; // a worker that has more than this part of the critical errors is named
const only = (name) => (point) => point[name];
const CARDS = [
  ["total_errors", "all", {}, (point) => point.critical + point.warning + point.info],
  ["critical_errors", "critical", { severity: ["critical"] }, only("critical")],
  ["warning_errors", "warning", { severity: ["warning"] }, only("warning")],
  ["info_errors", "info", { severity: ["info"] }, only("info")],
  ["critical_hardware_errors", "critical hardware", { severity: ["critical"], group: ["hardware"] }, only("critical_hardware")],
  ["resource_errors", "resource", { group: ["resource"] }, only("resource")],
  ["network_errors", "network", { group: ["network"] }, only("network")],
  ["recurring_errors", "recurring", { group: ["recurring"] }, only("recurring")],
];

const cards = new Map();

export function drawCards({ summary, error_distribution: { time_series: series } }, choose) {
  const host = document.getElementById("cards");
  for (const [key, label, filters, of] of CARDS) {
    if (!cards.has(key)) {
      const card = element("button", { type: "button", class: "card", "data-card": key });
      card.onclick = () => choose(filters);
      cards.set(key, card);
      host.append(card);
    }
    cards.get(key).replaceChildren(element("span", { class: "label" }, label),
      element("span", { class: "count" }, summary[key].toLocaleString()),
      sparkline(series.points.map(of), "over the time range"));
  }
}

export function markCards(filters) {
  for (const [key, , own] of CARDS) cards.get(key)?.setAttribute("aria-pressed", String(same(own, filters)));
}

function same(a, b) {
  const text = (filters) => JSON.stringify(Object.entries(filters).sort());
  return text(a) === text(b);
}

export function drawVerdict(data, range) {
  const recent = data.recent_errors.filter((error) => error.is_critical && Date.now() - Date.parse(error.timestamp) < RECENT_MS);
  const inAll = data.summary.critical_errors;
  const verdict = document.getElementById("verdict");
  verdict.dataset.severity = recent.length ? "critical" : inAll ? "" : "calm";
  const said = recent.length ? bad(recent)
    : inAll ? `Nothing critical in the last 5 min, ${inAll.toLocaleString()} in the last ${RANGES[range]}`
      : `Nothing critical in the last ${RANGES[range]}`;
  if (verdict.textContent !== said) verdict.textContent = said;
}

function bad(recent) {
  const workers = new Map();
  for (const { worker_id: worker } of recent) workers.set(worker, (workers.get(worker) ?? 0) + 1);
  const [worker, most] = [...workers].sort((a, b) => b[1] - a[1])[0];
  const count = `${recent.length}${recent.length === 100 ? " or more" : ""} critical in the last 5 min`;
  if (workers.size === 1) return `${count} on ${worker}`;
  const first = most / recent.length > MOST ? ` · ${worker} has ${Math.round(100 * most / recent.length)} % of them` : "";
  return `${count} on ${workers.size} workers${first}`;
}
