// The answer to "is it bad?": one sentence, and a card for each count.

import { sparkline } from "./charts.js";
import { element, time } from "./dom.js";
import { RANGES, address } from "./state.js";

const MOST = 0.5; // a worker with more than this share of the critical errors is named
const MOST_CLOCKS = 3; // workers in a wrong time zone that are named
const only = (name) => (point) => point[name];
const CARDS = [
  ["total_errors", "all", {}, (point) => point.critical + point.warning + point.info],
  ["critical_errors", "critical", { severity: ["critical"] }, only("critical"), "critical"],
  ["warning_errors", "warning", { severity: ["warning"] }, only("warning"), "warning"],
  ["info_errors", "info", { severity: ["info"] }, only("info")],
  ["critical_hardware_errors", "critical hardware", { severity: ["critical"], group: ["hardware"] }, only("critical_hardware"), "critical"],
  ["resource_errors", "resource", { group: ["resource"] }, only("resource")],
  ["network_errors", "network", { group: ["network"] }, only("network")],
  ["recurring_errors", "recurring", { group: ["recurring"] }, only("recurring")],
];

const by = (id) => document.getElementById(id);
const cards = new Map();

export function drawCards({ summary, error_distribution: { time_series: series } }, choose) {
  for (const [key, label, filters, of, ink] of CARDS) {
    if (!cards.has(key)) {
      const card = element("button", { type: "button", class: "card", "data-card": key });
      card.onclick = () => choose(filters);
      cards.set(key, card);
      by("cards").append(card);
    }
    cards.get(key).replaceChildren(element("span", { class: "label" }, label),
      element("span", { class: `count ${summary[key] && ink ? ink : ""}` }, summary[key].toLocaleString()),
      sparkline(series.points.map(of), "trend over the time range"));
  }
}

export function markCards(filters) {
  for (const [key, , own] of CARDS) cards.get(key)?.setAttribute("aria-pressed", String(same(own, filters)));
}

function same(a, b) {
  const text = (filters) => JSON.stringify(Object.entries(filters).sort());
  return text(a) === text(b);
}

// Uses the service's counts and clock, because the page has only some of the errors, and the reader's clock may be wrong.
export function drawVerdict({ now, summary }, range) {
  const inAll = summary.critical_errors;
  const verdict = by("verdict");
  verdict.dataset.severity = now.critical_errors ? "critical" : inAll ? "" : "calm";
  write(verdict, now.critical_errors ? bad(now)
    : inAll ? `Nothing critical in the last ${minutes(now)}, ${inAll.toLocaleString()} in the last ${RANGES[range]}`
      : `Nothing critical in the last ${RANGES[range]}`);
  drawWhy(now, inAll, range);
  drawSinceReset(now, summary);
}

// Names the workers whose times without an offset are those of another time zone: their errors are listed at a wrong time.
export function drawClocks({ clock_offsets: offsets }) {
  const place = by("clocks");
  const lines = offsets.slice(0, MOST_CLOCKS).map(({ warning }) => warning);
  if (offsets.length > MOST_CLOCKS) lines.push(`and ${offsets.length - MOST_CLOCKS} more workers`);
  if (place.dataset.says === lines.join("\n")) return;
  place.dataset.says = lines.join("\n");
  place.replaceChildren(...lines.map((line) => element("li", {}, line)));
}

function bad(now) {
  const count = `${now.critical_errors.toLocaleString()} critical in the last ${minutes(now)}`;
  if (now.workers === 1) return `${count} on ${now.top_worker}`;
  const first = named(now) ? ` · ${now.top_worker} has ${Math.round(100 * now.top_worker_errors / now.critical_errors)} % of them` : "";
  return `${count} on ${now.workers} workers${first}`;
}

function minutes(now) {
  return `${now.window_seconds / 60} min`;
}

function named(now) {
  return now.top_worker_errors / now.critical_errors > MOST;
}

// Links to the critical errors; if the sentence names a worker, to those of this worker.
function drawWhy(now, inAll, range) {
  const filters = { severity: ["critical"], ...(now.critical_errors && named(now) ? { worker: [now.top_worker] } : {}) };
  by("why").hidden = !inAll;
  by("why").setAttribute("href", address({ range, filters, error: null }));
}

function drawSinceReset({ critical_errors_since_reset: count }, { reset_at: at }) {
  const place = by("since");
  if (!at) return void place.replaceChildren();
  if (place.dataset.says === `${count} ${at}`) return;
  place.dataset.says = `${count} ${at}`;
  place.replaceChildren(`${count.toLocaleString()} critical since the counts were reset, `, time(at));
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
