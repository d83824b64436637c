// The view of a worker: what it is now and why, its errors by pattern, its measurements over time, its devices, what it ran.

import { ask, query } from "./api.js";
import { history } from "./audit.js";
import { counted } from "./counted.js";
import { ago, element, time } from "./dom.js";
import { card } from "./machines.js";
import { inWords } from "./span.js";
import { many } from "./spell.js";
import { stateBox } from "./state_form.js";
import { saidDrained } from "./states.js";
import { line } from "./trend.js";
import { errorRows, errorsOf, facts, link, section, table, titled } from "./view_parts.js";

const NOW = { critical: "▲", warning: "◆", recovering: "◒", silent: "○", stable: "●" };
const ACTIONS = [{ name: "drain", label: "Drain", ends: "open" }, { name: "undrain", label: "Undrain" }];
const MEASURED = [["cpu", "CPU", "%"], ["memory", "memory", "%"], ["disk", "disk", "%"], ["gpu_memory", "GPU memory", "%"], ["gpu_temperature", "GPU temperature", "°C"]];

export async function draw(body, id, tools) {
  const { state, filter, view, wanted } = tools;
  const span = { ...state, filters: {} }, since = performance.now();
  const found = await ask(`/api/workers/${encodeURIComponent(id)}?${query(span)}`).catch((failure) => { if (failure.status === 404) return null; throw failure; });
  if (!wanted()) return;
  if (!found) {
    return void body.replaceChildren(element("h2", { id: "view-title" }, element("span", { class: "kind" }, "Worker"), " ", id),
      element("p", {}, "Nothing is known of this worker: no error and no heartbeat. The link may be old: errors are deleted after some time."));
  }
  const changes = history({ worker: found.worker_id }, (error) => filter("error", error));
  const errors = errorRows({ ...tools, span }, { worker: [id] }, { named: false, none: `no errors ${inWords(counted(state), true)}` });
  const ran = (name, rows) => section(titled(name), table([name, "errors", "last"],
    (rows ?? []).map((row) => [link(name === "device" ? filter(name, row.value) : view(name, row.value), row.value), row.errors, ago(row.last)])));
  body.replaceChildren(
    element("h2", { id: "view-title" }, element("span", { class: "kind" }, "Worker"), " ", found.worker_id),
    element("p", { class: "state" }, element("span", { class: `severity ${found.now}` }, `${NOW[found.now] ?? "○"} ${found.now}`), found.reason ? ` · ${found.reason}` : ""),
    drainOf(found, since, changes.load),
    facts([
      ["errors", `${errorsOf(found.errors, found.critical)}${found.warning ? `, ${found.warning.toLocaleString()} warnings` : ""} ${inWords(counted(state), true)}`],
      ["last error", at(found.last_error_at)], ["last critical", at(found.last_critical_at)],
      ["silent since", at(found.silent_since)], ["first seen", at(found.first_seen)],
    ]),
    element("p", {}, element("a", { href: filter("worker", found.worker_id) }, "Filter the page by this worker")),
    section("Its patterns", table(["pattern", "errors", "critical", "first", "last"], (found.patterns ?? []).map((row) => [
      link(view("pattern", row.pattern_id), row.text), row.errors, row.critical, ago(row.first), ago(row.last)]))),
    measured(found.measurements ?? []),
    found.heartbeat ? section("Heartbeat", element("ul", { class: "plain machine-now" }, card(found.heartbeat, view))) : "",
    element("div", { class: "beside" }, ran("device", found.devices), ran("test", found.tests), ran("run", found.runs)),
    section("All errors", errors.place), changes.place);
  await Promise.all([errors.ready, changes.load()]);
}

// Whether it is drained, with the button that changes it.
function drainOf({ worker_id: id, drained }, since, onChange) {
  const path = `/api/workers/${encodeURIComponent(id)}`, stateIn = (answer) => answer.drained;
  return stateBox({ of: `worker:${id}`, path, state: drained, since, words: saidDrained, actions: ACTIONS, fits: (now) => [now ? "undrain" : "drain"], stateIn,
    note: (now) => (now ? "Its errors are counted and alert as before, but change no colour of the verdict." : ""),
    look: () => ask(`${path}?time_range=1`).then(stateIn), onChange });
}

function at(iso) {
  return iso ? ago(iso) : null;
}

// A line for each measurement that was reported, and all of them as a table.
function measured(points) {
  const lines = MEASURED.flatMap(([name, label, unit]) => {
    const known = points.filter((point) => typeof point[name] === "number").map((point) => [Date.parse(point.at), point[name]]);
    if (!known.length) return [];
    const values = known.map(([, value]) => value), now = values.at(-1), [least, most] = [Math.min(...values), Math.max(...values)];
    const text = `${label}: now ${round(now)} ${unit}, between ${round(least)} and ${round(most)} ${unit}`;
    return [element("figure", {}, element("figcaption", {}, element("span", {}, label), element("strong", {}, `${round(now)} ${unit}`)),
      line(known, 100, text), element("p", { class: "quiet" }, `${round(least)} to ${round(most)} ${unit}`))];
  });
  if (!lines.length) return "";
  const rows = points.toReversed().map((point) => [time(point.at), ...MEASURED.map(([name]) => (typeof point[name] === "number" ? round(point[name]) : ""))]);
  return section(`Measurements of its newest ${many(points.length, "report")}`, element("div", { class: "measured" }, ...lines),
    element("details", {}, element("summary", {}, "As a table"), table(["time", ...MEASURED.map(([, label, unit]) => `${label} ${unit}`)], rows, { first: 20 })));
}

function round(value) {
  return Number(value.toFixed(1)).toLocaleString();
}
