// The page: a snapshot of a time range from the API, then live updates. What is shown is in the address.

import * as announce from "./announce.js";
import * as charts from "./charts.js";
import { bindKeys, bindMenu, bindReset, bindSound, bindTheme, drawChips, drawFacets, drawRange } from "./controls.js";
import { show } from "./details.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import * as notify from "./notify.js";
import { draw as drawPanels } from "./panels.js";
import { Sound } from "./sound.js";
import { address, read } from "./state.js";
import { drawCards, drawVerdict, markCards } from "./summary.js";

const REFRESH_MS = 1000, FACETS_MS = 5000;
const EXAMPLE = `curl -X POST ${location.origin}/api/report-error \\
  -H 'Content-Type: application/json' \\
  -d '{"worker_id": "worker-1", "type": "ResourceError", "message": "Failed to allocate GPU memory"}'`;

const by = (id) => document.getElementById(id);
const state = read();
const sound = new Sound((blocked) => { by("sound-on").hidden = !blocked; });
const pointed = () => matchMedia("(hover: hover)").matches && by("errors").matches(":hover");
const list = new List({
  state, filter: addressWith, open: (id) => go({ error: String(id) }),
  still: () => by("pause").checked || scrollY > by("errors").offsetTop || pointed(),
});
let live = null, refreshing = 0, facetsAt = -Infinity;

// The address of the page with one filter more, or of an error.
function addressWith(name, value) {
  if (name === "error") return address({ ...state, error: String(value) });
  return address({ ...state, error: null, filters: { ...state.filters, [name]: [String(value)] } });
}

// Shows another part of the data, and makes it a step that the browser's back button undoes.
function go(change) {
  const before = address(state);
  Object.assign(state, change);
  if (address(state) !== before) history.pushState(null, "", address(state));
  return drawAll();
}

function goTo(to) {
  history.pushState(null, "", to);
  Object.assign(state, read());
  return drawAll();
}

function drawState(word) {
  const connection = by("connection");
  const before = connection.dataset.state;
  if (before === word) return;
  connection.dataset.state = word;
  connection.textContent = word === "live" ? "live" : `connection lost, as of ${new Date().toLocaleTimeString([], { hourCycle: "h23" })}`;
  if (word === "lost") announce.interrupt("Connection lost");
  else if (before === "lost") announce.say("The connection is back");
}

async function ask(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer.data;
}

async function refresh() {
  const range = state.range;
  const data = await ask(`/api/errors?time_range=${range}`);
  if (range !== state.range) return data; // another range was chosen meanwhile, and is on its way
  drawCards(data, (filters) => go({ filters: { ...filters } }));
  markCards(state.filters);
  drawVerdict(data, range);
  drawPanels(data, addressWith, goTo);
  if (performance.now() - facetsAt > FACETS_MS) await facets();
  return data;
}

async function facets() {
  facetsAt = performance.now();
  const query = new URLSearchParams({ time_range: state.range });
  for (const [name, values] of Object.entries(state.filters)) for (const value of values) query.append(name, value);
  drawFacets(await ask(`/api/errors/facets?${query}`), state.filters);
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
  notify.tell(fresh);
  announce.tell(fresh);
  if (!by("pause").checked) refreshSoon();
}

async function resync() {
  try { await Promise.all([refresh(), list.fetch()]); } catch { drawState("lost"); }
}

async function drawAll() {
  drawRange(state);
  drawChips(state.filters, (name, value) => setFilter(name, state.filters[name].filter((one) => one !== value)));
  by("q").value = state.filters.q?.[0] ?? "";
  facetsAt = -Infinity;
  if (state.error) await show(by("details"), state.error, { filter: addressWith, close: () => { if (state.error) go({ error: null }); } });
  else if (by("details").open) by("details").close();
  const [data] = await Promise.all([refresh(), list.fetch()]);
  return data;
}

function setFilter(name, values) {
  const filters = { ...state.filters, [name]: values };
  if (!values.length) delete filters[name];
  return go({ filters });
}

function bind() {
  by("example").textContent = EXAMPLE;
  bindTheme(charts.redraw);
  bindSound(sound);
  bindMenu();
  bindReset((text) => { announce.say(text); refreshSoon(); });
  notify.bind();
  for (const select of document.querySelectorAll("select[data-filter]")) {
    select.onchange = () => setFilter(select.dataset.filter, select.value ? [select.value] : []);
  }
  by("search").onsubmit = (event) => { event.preventDefault(); setFilter("q", [by("q").value.trim()].filter(Boolean)); };
  by("widen").onclick = () => go({ filters: {}, range: 168 });
  by("pause").onchange = () => { if (!by("pause").checked) { list.takeWaiting(); refreshSoon(); } };
  by("help").onclick = () => by("help-dialog").showModal();
  addEventListener("popstate", () => { Object.assign(state, read()); drawAll(); });
  document.addEventListener("click", followHere);
  const step = (by_) => {
    const links = [...document.querySelectorAll("#errors a.message")];
    links[Math.min(Math.max(links.indexOf(document.activeElement) + by_, 0), links.length - 1)]?.focus();
  };
  bindKeys({
    "/": () => by("q").focus(), j: () => step(1), k: () => step(-1), m: () => by("mute-all").click(), p: () => by("pause").click(),
    "?": () => by("help").click(),
  });
}

// A link to another state of this page is followed in place: live updates and sound go on.
function followHere(event) {
  const link = event.target.closest?.('a[href^="?"]');
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  goTo(link.getAttribute("href"));
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
  charts.load().catch(() => announce.say("The charts could not be loaded; their tables are shown"));
}

start();
