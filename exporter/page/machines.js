// "Machines now": which machines send heartbeats, silent ones first, with their GPUs. Asked again every ten seconds; nothing
// is shown where no machine sends any.

import { NoAnswer, Refusal, ask } from "./api.js";
import { ago, element, replaceQuietly } from "./dom.js";
import { many } from "./spell.js";

const EVERY_MS = 10_000, SHOWN = 24;
const STATUS = { silent: ["▲", "critical"], heard: ["●", "stable"], stopped: ["◆", "info"] };

const by = (id) => document.getElementById(id);

// Asks now, and every ten seconds unless `paused()`. `view(kind, id)` returns the URL of a view.
export function watch(paused, view) {
  look(view);
  setInterval(() => { if (!paused()) look(view); }, EVERY_MS);
}

// Asks and draws the answer; does nothing while the page is hidden. Without an answer, what was drawn stays: it has times.
export async function look(view) {
  if (document.hidden) return;
  try {
    draw(await ask(`/api/heartbeats?limit=${SHOWN}`), view);
  } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
  }
}

function draw({ machines, heard, silent, stopped }, view) {
  const total = heard + silent + stopped;
  by("machines-panel").hidden = !total;
  by("machines-count").textContent = [
    silent && `${many(silent, "machine")} silent`, heard && `${many(heard, "machine")} heard`, stopped && `${stopped} stopped`,
    total > machines.length && `the first ${machines.length} are shown`,
  ].filter(Boolean).join(" · ");
  replaceQuietly(by("machines"), ...machines.map((machine) => card(machine, view)));
}

// A card of a machine.
export function card({ worker_id: worker, status, last_seen: seen, heartbeat }, view) {
  const [icon, ink] = STATUS[status];
  const { system_context: system, gpus, problems } = heartbeat ?? {};
  const metrics = system?.metrics;
  return element("li", { class: `machine ${status}` },
    element("h3", {}, element("a", { href: view("worker", worker), class: "text", title: worker }, worker), " ",
      element("span", { class: `severity ${ink}` }, `${icon} ${status}`)),
    element("p", { class: "quiet" }, "last heartbeat ", ago(seen)),
    facts([["CPU", metrics?.cpu?.percent, "%"], ["memory", metrics?.memory?.used_percent, "%"], ["disk", metrics?.disk?.used_percent, "%"]]),
    ...list(gpus).map(gpu),
    ...list(problems).filter(isText).map((problem) => element("p", { class: "problem" }, `▲ ${problem}`)));
}

function gpu(of) {
  const name = `GPU ${isText(of?.index) ? of.index : "?"}${of?.lost ? " ▲ lost" : ""}`;
  const throttled = list(of?.throttle_reasons).filter(isText);
  return element("div", { class: "gpu", title: [of?.name, of?.uuid].filter(isText).join(" ") }, element("strong", {}, name), facts([
    ["load", of?.utilization, "%"], ["memory", of?.memory_utilization, "%"], ["temperature", of?.temperature, "°C"], ["power", of?.power_watts, "W"],
    ["clock", of?.clock_mhz, "MHz"], ["ECC errors", of?.ecc_uncorrected || null, ""],
  ]), ...throttled.length ? [element("p", { class: "problem" }, `◆ throttled: ${throttled.join(", ")}`)] : []);
}

// A heartbeat is shown as it was sent, so a value may be of any type: what is no number, or no text, is left out. An object
// may not even become a text: `${{ toString: 1 }}` throws, and no machine would be shown.
const isText = (value) => typeof value === "string" || typeof value === "number";

function facts(rows) {
  return element("dl", { class: "facts" }, ...rows.filter(([, value]) => typeof value === "number").flatMap(([label, value, unit]) => [
    element("dt", {}, label), element("dd", {}, `${value.toFixed(0)} ${unit}`)]));
}

const list = (value) => (Array.isArray(value) ? value.slice(0, 16) : []);
