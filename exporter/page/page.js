// The page: a snapshot of a time range from the API, then live updates. What is shown is in the address.

import { bindKeys, bindReset, bindSound, bindTheme, drawChips, drawRange } from "./controls.js";
import { show } from "./details.js";
import { element } from "./dom.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { draw as drawPanels } from "./panels.js";
import { Sound } from "./sound.js";
import { RANGES, address, read } from "./state.js";

const CARDS = [
  ["total_errors", "all", {}],
  ["critical_errors", "critical", { severity: ["critical"] }],
  ["critical_hardware_errors", "critical hardware", null],
  ["resource_errors", "resource", null],
  ["network_errors", "network", null],
  ["recurring_errors", "recurring", null],
];
const REFRESH_MS = 1000;
const RECENT_MS = 300_000;
const EXAMPLE = `curl -X POST ${location.origin}/api/report-error \\
  -H 'Content-Type: application/json' \\
  -d '{"worker_id": "worker-1", "type": "ResourceError", "message": "Failed to allocate GPU memory"}'`;

const by = (id) => document.getElementById(id);
const state = read();
const sound = new Sound((blocked) => { by("sound-on").hidden = !blocked; });
const list = new List({ state, open: (id) => go({ error: String(id) }), still: () => by("pause").checked || scrollY > by("errors").offsetTop });
let live = null;
let refreshing = 0;
let unseen = 0;

const filterAddress = (name, value) => address({ ...state, error: null, filters: { ...state.filters, [name]: [String(value)] } });

// Shows another part of the data, and makes it a step that the browser's back button undoes.
function go(change) {
  const before = address(state);
  Object.assign(state, change);
  if (address(state) !== before) history.pushState(null, "", address(state));
  return drawAll();
}

function drawSummary(summary) {
  by("cards").replaceChildren(...CARDS.map(([key, label, filters]) => {
    const body = [element("span", { class: "label" }, label), element("span", { class: "count" }, summary[key].toLocaleString())];
    if (!filters) return element("div", { "data-card": key, class: "card" }, ...body);
    const card = element("button", { "data-card": key, class: "card", type: "button" }, ...body);
    card.onclick = () => go({ filters: { ...filters } });
    return card;
  }));
}

function drawVerdict(data) {
  const recent = data.recent_errors.filter((e) => e.is_critical && Date.now() - Date.parse(e.timestamp) < RECENT_MS);
  const workers = new Set(recent.map((error) => error.worker_id));
  const verdict = by("verdict");
  const inAll = data.summary.critical_errors;
  verdict.dataset.severity = recent.length ? "critical" : inAll ? "" : "calm";
  const said = recent.length
    ? `${recent.length}${recent.length === 100 ? " or more" : ""} critical in the last 5 min on ${workers.size} ${workers.size === 1 ? "worker" : "workers"}`
    : inAll ? `Nothing critical in the last 5 min, ${inAll.toLocaleString()} in the last ${RANGES[state.range]}`
      : `Nothing critical in the last ${RANGES[state.range]}`;
  if (verdict.textContent !== said) verdict.textContent = said;
}

function drawState(word) {
  const connection = by("connection");
  connection.dataset.state = word;
  connection.textContent = word === "live" ? "live" : `connection lost, as of ${new Date().toLocaleTimeString([], { hourCycle: "h23" })}`;
}

function drawTitle() {
  document.title = unseen ? `(${unseen}) Errors` : "Errors";
}

async function refresh() {
  const response = await fetch(`/api/errors?time_range=${state.range}`);
  if (!response.ok) throw new Error((await response.json()).message);
  const { data } = await response.json();
  drawSummary(data.summary);
  drawVerdict(data);
  drawPanels(data, filterAddress);
  return data;
}

// At most once a second, however much comes: the numbers are the service's own.
function refreshSoon() {
  refreshing ||= setTimeout(async () => {
    try { await refresh(); } catch { drawState("lost"); } finally { refreshing = 0; }
  }, REFRESH_MS);
}

function hear(news) {
  const fresh = list.hear(news);
  sound.hear(news);
  if (document.hidden) { unseen += fresh.length; drawTitle(); }
  if (!by("pause").checked) refreshSoon();
}

async function resync() {
  try { await Promise.all([refresh(), list.fetch()]); } catch { drawState("lost"); }
}

async function drawAll() {
  drawRange(state.range, (range) => go({ range }));
  drawChips(state.filters, (name, value) => {
    const left = (state.filters[name] ?? []).filter((one) => one !== value);
    const filters = { ...state.filters, [name]: left };
    if (!left.length) delete filters[name];
    go({ filters });
  });
  for (const name of ["severity", "q"]) by(name).value = state.filters[name]?.[0] ?? "";
  if (state.error) await show(by("details"), state.error, { filter: filterAddress, close: () => { if (state.error) go({ error: null }); } });
  else if (by("details").open) by("details").close();
  const [data] = await Promise.all([refresh(), list.fetch()]);
  return data;
}

function setFilter(name, value) {
  const filters = { ...state.filters };
  if (value) filters[name] = [value]; else delete filters[name];
  return go({ filters });
}

function bind() {
  by("example").textContent = EXAMPLE;
  bindTheme();
  bindSound(sound);
  bindReset(refreshSoon);
  by("severity").onchange = () => setFilter("severity", by("severity").value);
  by("search").onsubmit = (event) => { event.preventDefault(); setFilter("q", by("q").value.trim()); };
  by("widen").onclick = () => go({ filters: {}, range: 168 });
  by("pause").onchange = () => { if (!by("pause").checked) { list.takeWaiting(); refreshSoon(); } };
  by("help").onclick = () => by("help-dialog").showModal();
  addEventListener("popstate", () => { Object.assign(state, read()); drawAll(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { unseen = 0; drawTitle(); } });
  const step = (by_) => {
    const links = [...document.querySelectorAll("#errors a.message")];
    links[Math.min(Math.max(links.indexOf(document.activeElement) + by_, 0), links.length - 1)]?.focus();
  };
  bindKeys({
    "/": () => by("q").focus(), j: () => step(1), k: () => step(-1), m: () => by("mute-all").click(), p: () => by("pause").click(),
    "?": () => by("help").click(),
  });
}

async function start() {
  bind();
  for (let pause = 500; !live; pause = Math.min(pause * 2, 30_000)) {
    try {
      const data = await drawAll();
      live = new Live({ hours: state.range, seq: data.seq, hear, resync, state: drawState });
    } catch {
      drawState("lost");
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
}

start();
