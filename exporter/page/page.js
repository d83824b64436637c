// The page: one snapshot of a time range from the API, then live updates.

import { element, severity, time } from "./dom.js";
import { Live } from "./live.js";

const RANGES = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
const CARDS = {
  total_errors: "all", critical_errors: "critical", critical_hardware_errors: "critical hardware",
  resource_errors: "resource", network_errors: "network", recurring_errors: "recurring",
};
const SHOWN = 100;
const DRAW_MS = 200; // a new error is there at once, however many come
const REFRESH_MS = 1000;
const EXAMPLE = `curl -X POST ${location.origin}/api/report-error \\
  -H 'Content-Type: application/json' \\
  -d '{"worker_id": "worker-1", "type": "ResourceError", "message": "Failed to allocate GPU memory"}'`;

const by = (id) => document.getElementById(id);
const asked = Number(new URLSearchParams(location.search).get("range"));
const hours = asked in RANGES ? asked : 24;
let errors = [];
let live = null;
let drawing = 0;
let refreshing = 0;

function drawRange() {
  by("range").replaceChildren(...Object.entries(RANGES).map(([value, label]) => element(
    "a", { href: `?range=${value}`, "aria-current": Number(value) === hours ? "true" : null }, label)));
}

function drawSummary(summary) {
  by("cards").replaceChildren(...Object.entries(CARDS).map(([key, label]) => element(
    "div", { "data-card": key }, element("dt", {}, label), element("dd", {}, summary[key].toLocaleString()))));
}

function drawVerdict(summary) {
  const recent = errors.filter((e) => e.is_critical && Date.now() - Date.parse(e.timestamp) < 300_000);
  const workers = new Set(recent.map((e) => e.worker_id));
  const verdict = by("verdict");
  verdict.dataset.severity = recent.length ? "critical" : summary.critical_errors ? "" : "calm";
  verdict.textContent = recent.length
    ? `${recent.length} critical in the last 5 min on ${workers.size} ${workers.size === 1 ? "worker" : "workers"}`
    : summary.critical_errors ? `Nothing critical in the last 5 min, ${summary.critical_errors} in the last ${RANGES[hours]}`
      : `Nothing critical in the last ${RANGES[hours]}`;
}

function row(error) {
  return element("li", { "data-id": error.id, id: `error-${error.id}` },
    time(error.timestamp), severity(error.severity),
    element("span", { class: "worker" }, error.worker_id),
    element("span", { class: "kind" }, `${error.error_category} · ${error.type}`),
    element("span", { class: "message" }, error.message || error.type),
    element("span", { class: "reasons" }, `why: ${error.reasons.join(", ")}`));
}

function drawErrors() {
  by("empty").hidden = errors.length > 0;
  const list = by("errors");
  const drawn = new Map([...list.children].map((item) => [item.dataset.id, item]));
  list.replaceChildren(...errors.map((error) => drawn.get(String(error.id)) ?? row(error)));
}

function drawState(word) {
  const connection = by("connection");
  connection.dataset.state = word;
  connection.textContent = word === "live" ? "live" : `connection lost, as of ${new Date().toLocaleTimeString()}`;
}

async function fetchSnapshot() {
  const response = await fetch(`/api/errors?time_range=${hours}`);
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()).data;
}

// At most once a second, however much comes: the numbers are the service's own.
function refreshSoon() {
  refreshing ||= setTimeout(async () => {
    try { await refresh(); } catch { drawState("lost"); } finally { refreshing = 0; }
  }, REFRESH_MS);
}

async function refresh() {
  const data = await fetchSnapshot();
  errors = data.recent_errors;
  drawSummary(data.summary);
  drawVerdict(data.summary);
  drawErrors();
  return data;
}

function hear(news) {
  const known = new Set(errors.map((error) => error.id));
  const first = news.filter((error) => !known.has(error.id)).reverse();
  errors = [...first, ...errors].sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp) || b.id - a.id);
  errors.length = Math.min(errors.length, SHOWN);
  drawing ||= setTimeout(() => { drawing = 0; drawErrors(); }, DRAW_MS);
  refreshSoon();
}

async function start() {
  drawRange();
  by("example").textContent = EXAMPLE;
  for (let pause = 500; !live; pause = Math.min(pause * 2, 30_000)) {
    try {
      const data = await refresh();
      live = new Live({ hours, seq: data.seq, hear, resync: refreshSoon, state: drawState });
    } catch {
      drawState("lost");
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
}

start();
