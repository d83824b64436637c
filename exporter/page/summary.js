// A card for each count, and what the counts must be read with.

import { sparkline } from "./charts.js";
import { element, time } from "./dom.js";

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

// A click on a card calls `choose` with its filters and those of the page that are no card's; on one that is pressed, without
// its own.
export function drawCards({ summary, error_distribution: { time_series: series } }, choose, state) {
  for (const [key, label, own, of, ink] of CARDS) {
    if (!cards.has(key)) {
      const card = element("button", { type: "button", class: "card", "data-card": key });
      cards.set(key, card);
      by("cards").append(card);
    }
    cards.get(key).onclick = () => choose({ ...others(state.filters), ...isChosen(own, state.filters) ? {} : own });
    cards.get(key).replaceChildren(element("span", { class: "label" }, label),
      element("span", { class: `count ${summary[key] && ink ? ink : ""}` }, summary[key].toLocaleString()),
      sparkline(series.points.map(of), "trend over the time range"));
  }
}

export function markCards(filters) {
  for (const [key, , own] of CARDS) cards.get(key)?.setAttribute("aria-pressed", String(isChosen(own, filters)));
}

function others({ severity: _, group: __, ...filters }) {
  return filters;
}

function isChosen(own, { severity, group }) {
  return String(own.severity ?? "") === String(severity ?? "") && String(own.group ?? "") === String(group ?? "");
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

export function drawSinceReset({ now: { critical_errors_since_reset: count }, summary: { reset_at: at } }) {
  const place = by("since");
  if (!at) {
    delete place.dataset.says;
    return void place.replaceChildren();
  }
  if (place.dataset.says === `${count} ${at}`) return;
  place.dataset.says = `${count} ${at}`;
  place.replaceChildren(`${count.toLocaleString()} critical since the counts were reset, `, time(at));
}
