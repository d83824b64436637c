// What is drawn over the chart of errors over time: the axis with days and zones, the compared span as a line, the times in which
// the service did not run, and marks for new patterns, silent workers, restarts of the service and mutes.

import { element, replace } from "./dom.js";
import { duration, moment } from "./span.js";
import { told } from "./states.js";
import { ticks } from "./axes.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR_PX = 40; // as wide as a mark with a number of three digits
const MOST = 12, MOST_NAMED = 5;
const ICONS = { pattern: "✦", silent: "○", restart: "↻", silence: "‖" };

// What happened in the span of an overview, in the order of the chart: {at, since, kind, text, href}. `at` is where it is marked,
// `since` when it happened, both in milliseconds. A mute that began before the span is marked at the start of the span; a restart
// after it, whose time without the service began in it, at its end.
export function marks(overview, filter) {
  const since = Date.parse(overview.range.from), until = Date.parse(overview.range.to);
  const found = [
    ...overview.new_patterns.patterns.map((row, i) => ({ at: row.first_seen, kind: "pattern", text: `new pattern: ${row.pattern}${earlier(overview.new_patterns, i)}`, href: filter("pattern", row.pattern_id) })),
    ...overview.worker_errors.worker_stats.map((row) => ({ at: row.silent_since, kind: "silent", text: `worker ${row.worker_id} is silent since then`, href: filter("worker", row.worker_id) })),
    ...(overview.restarts ?? []).map((one) => ({ at: one.started_at, kind: "restart", text: restarted(one), href: null })),
    ...(overview.silences ?? []).map((one) => ({ at: one.at, kind: "silence", text: muted(one), href: filter("pattern", one.pattern_id) })),
  ].filter((mark) => mark.at).map((mark) => ({ ...mark, since: Date.parse(mark.at) }));
  const placed = { silence: (at) => Math.max(at, since), restart: (at) => Math.min(at, until) };
  return found.map((mark) => ({ ...mark, at: placed[mark.kind]?.(mark.since) ?? mark.since }))
    .filter(({ at }) => at >= since && at <= until).sort((a, b) => a.at - b.at);
}

// What the mark of the oldest listed pattern says of those that are not listed.
function earlier({ total, patterns: { length } }, place) {
  const others = total - length;
  return place === length - 1 && others > 0 ? ` (${others.toLocaleString()} more new ${others === 1 ? "pattern" : "patterns"} before that)` : "";
}

// The times in which the service did not run, as [begin, end] in milliseconds.
export function gaps({ restarts = [] }) {
  return restarts.map((one) => [Date.parse(one.stopped_at), Date.parse(one.started_at)]);
}

function restarted({ stopped_at: stopped, started_at: started }) {
  const [from, to] = [Date.parse(stopped), Date.parse(started)];
  return `the service started; it had not run for ${duration(to - from)}, since ${moment(from)}`;
}

function muted({ by, until, errors, ended_at: ended, pattern_id: id, pattern }) {
  const said = (part) => (typeof part === "string" ? part : part.name ?? moment(Date.parse(part.at)));
  const words = told({ action: "mute", by, until, errors }).map(said).join("");
  const end = ended && ended !== until ? `, ended ${moment(Date.parse(ended))}` : "";
  return `${words.replace("Muted", "muted")}${end}: ${pattern || id}`;
}

// Draws into `layer`, an element over the picture. `plane` is described in charts.js.
export function paint(layer, plane, data) {
  const { starts, seconds } = data, begin = starts[0], end = starts.at(-1) + seconds * 1000;
  const x = (ms) => plane.left + (plane.right - plane.left) * (ms - begin) / (end - begin);
  const y = (count) => plane.bottom - (plane.bottom - plane.top) * count / plane.most;
  const svg = made("svg", { class: "axis", "aria-hidden": "true", width: "100%", height: "100%" });
  for (const tick of ticks(begin, end, plane.right - plane.left)) svg.append(...axis(x(tick.at), plane, tick));
  for (const [from, to] of data.gaps) {
    const [left, right] = [from, to].map((ms) => Math.min(plane.right, Math.max(plane.left, x(ms))));
    svg.append(made("rect", { class: "gap", x: left, y: plane.top, width: right - left, height: plane.bottom - plane.top }));
  }
  if (data.line) {
    const step = (end - begin) / starts.length;
    const points = data.line.values.map((value, i) => `${x(begin + (i + 0.5) * step).toFixed(1)},${y(value).toFixed(1)}`);
    svg.append(made("polyline", { class: "compared", points: points.join(" ") }));
  }
  const flags = groups(data.marks, x, plane.right - plane.left).map((group) => flag(group, x(group[0].at), plane, svg));
  replace(layer, svg, ...flags, ...data.line ? [element("p", { class: "compared-name", "aria-hidden": "true" }, `┄ ${data.line.name}`)] : []);
}

function axis(at, plane, { text, note, midnight }) {
  const anchor = at < plane.left + 24 ? "start" : at > plane.right - 24 ? "end" : "middle";
  const line = made("line", { x1: at, x2: at, y1: midnight ? plane.top : plane.bottom, y2: plane.bottom + 4, class: midnight ? "day" : "tick" });
  const words = [text, note].map((said, i) => made("text", { x: at, y: plane.bottom + 16 + 13 * i, "text-anchor": anchor, class: i ? "note" : "" }, said));
  return [line, ...words];
}

// Marks so near to each other that they would overlap are one; where many are left, those less near, too.
function groups(all, x, width) {
  const found = near(all, x, NEAR_PX);
  return found.length > MOST ? near(all, x, width / MOST) : found;
}

function near(all, x, pixels) {
  const found = [];
  for (const mark of all) {
    const last = found.at(-1);
    if (last && x(mark.at) - x(last[0].at) < pixels) last.push(mark); else found.push([mark]);
  }
  return found;
}

function flag(group, at, plane, svg) {
  svg.append(made("line", { class: "mark-line", x1: at, x2: at, y1: plane.top, y2: plane.bottom }));
  const [first] = group, named = group.slice(0, MOST_NAMED).map(({ since, text }) => `${moment(since)}: ${text}`);
  const said = [...named, ...group.length > MOST_NAMED ? [`and ${group.length - MOST_NAMED} more`] : []].join("\n");
  const icon = ICONS[first.kind], content = group.length > 1 ? `${icon}${group.length}` : icon;
  const words = [element("span", { "aria-hidden": "true" }, content), element("span", { class: "hidden" }, said)];
  const href = group.find((one) => one.href)?.href; // a restart leads nowhere
  const mark = element(href ? "a" : "span", { class: "chart-mark", title: said, href }, ...words);
  mark.style.left = `${at}px`;
  mark.style.top = `${plane.top - 12}px`;
  return mark;
}

function made(name, attributes, text = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}
