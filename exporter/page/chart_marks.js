// What is drawn over the chart of errors over time: the axis with days and zones, the compared span as a line, and marks for new
// patterns, silent workers, restarts and silences.

import { element, replace } from "./dom.js";
import { moment } from "./span.js";
import { ticks } from "./axes.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR_PX = 24, MOST = 12, MOST_NAMED = 5;
const ICONS = { pattern: "✦", silent: "○", restart: "↻", silence: "⊘" };
const SAID = { pattern: "new pattern", silent: "silent since", restart: "the service started", silence: "silenced" };

// What happened in the span of an overview: {at, kind, text, href}. The service does not tell of restarts and silences yet; where
// an answer has `restarts` (times) or `silences` ({at, text}), they are marked, too.
export function marks(overview, filter) {
  const since = Date.parse(overview.range.from), until = Date.parse(overview.range.to);
  const found = [
    ...overview.error_patterns.top_patterns.map((row) => ({ at: firstOf(row), kind: "pattern", text: row.pattern, href: filter("pattern", row.pattern_id) })),
    ...overview.worker_errors.worker_stats.map((row) => ({ at: row.silent_since, kind: "silent", text: row.worker_id, href: filter("worker", row.worker_id) })),
    ...(overview.restarts ?? []).map((at) => ({ at, kind: "restart", text: "", href: null })),
    ...(overview.silences ?? []).map(({ at, text }) => ({ at, kind: "silence", text, href: null })),
  ];
  return found.filter((mark) => mark.at).map((mark) => ({ ...mark, at: Date.parse(mark.at) })).filter(({ at }) => at >= since && at <= until)
    .sort((a, b) => a.at - b.at);
}

// When a pattern was seen for the first time. `ever_first_seen` is of the error that was accepted first; one that was accepted
// later may have happened earlier.
function firstOf({ first_seen: first, ever_first_seen: ever }) {
  return ever && (first < ever ? first : ever);
}

// Draws into `layer`, an element over the picture. `plane` is described in charts.js.
export function paint(layer, plane, data) {
  const { starts, seconds } = data, begin = starts[0], end = starts.at(-1) + seconds * 1000;
  const x = (ms) => plane.left + (plane.right - plane.left) * (ms - begin) / (end - begin);
  const y = (count) => plane.bottom - (plane.bottom - plane.top) * count / plane.most;
  const svg = made("svg", { class: "axis", "aria-hidden": "true", width: "100%", height: "100%" });
  for (const tick of ticks(begin, end, plane.right - plane.left)) svg.append(...axis(x(tick.at), plane, tick));
  if (data.line) {
    const step = (end - begin) / starts.length;
    const points = data.line.values.map((value, i) => `${x(begin + (i + 0.5) * step).toFixed(1)},${y(value).toFixed(1)}`);
    svg.append(made("polyline", { class: "compared", points: points.join(" ") }));
  }
  const flags = groups(data.marks, x).slice(0, MOST).map((group) => flag(group, x(group[0].at), plane, svg));
  replace(layer, svg, ...flags, ...data.line ? [element("p", { class: "compared-name", "aria-hidden": "true" }, `┄ ${data.line.name}`)] : []);
}

function axis(at, plane, { text, note, midnight }) {
  const anchor = at < plane.left + 24 ? "start" : at > plane.right - 24 ? "end" : "middle";
  const line = made("line", { x1: at, x2: at, y1: midnight ? plane.top : plane.bottom, y2: plane.bottom + 4, class: midnight ? "day" : "tick" });
  const words = [text, note].map((said, i) => made("text", { x: at, y: plane.bottom + 16 + 13 * i, "text-anchor": anchor, class: i ? "note" : "" }, said));
  return [line, ...words];
}

// Marks so near to each other that they would overlap are one.
function groups(all, x) {
  const found = [];
  for (const mark of all) {
    const last = found.at(-1);
    if (last && x(mark.at) - x(last[0].at) < NEAR_PX) last.push(mark); else found.push([mark]);
  }
  return found;
}

function flag(group, at, plane, svg) {
  svg.append(made("line", { class: "mark-line", x1: at, x2: at, y1: plane.top, y2: plane.bottom }));
  const [first] = group, named = group.slice(0, MOST_NAMED).map(({ at: when, kind, text }) => `${moment(when)}: ${SAID[kind]} ${text}`.trim());
  const said = [...named, ...group.length > MOST_NAMED ? [`and ${group.length - MOST_NAMED} more`] : []].join("\n");
  const content = group.length > 1 ? `${ICONS[first.kind]}${group.length}` : ICONS[first.kind];
  const words = [element("span", { "aria-hidden": "true" }, content), element("span", { class: "hidden" }, said)];
  const mark = element(first.href ? "a" : "span", { class: "chart-mark", title: said, href: first.href }, ...words);
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
