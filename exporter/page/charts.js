// The charts. The library that draws them is loaded after the numbers are on screen; without it tables are shown. The reader
// can switch each chart to a table.

import { scale } from "./axes.js";
import { element, isPointedAt, replaceQuietly } from "./dom.js";
import { preference, prefer } from "./state.js";

const UNSEEN = /[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g; // would reverse or hide a label
const ROW = 16, LEAST_ROWS = 5, EDGE = 22, LEGEND = 20, HEIGHT = 182, TALLER = 204; // with an overlay
// Severities also differ by pattern: lines, dots, plain.
const DECALS = {
  critical: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4 },
  warning: { symbol: "circle", dashArrayX: [[6, 6], [0, 6, 6, 0]], dashArrayY: [5, 0], symbolSize: 0.7 },
};

const charts = new Map(), overlays = new Map();
const waiting = new Set(); // charts to draw, each in a task of its own: all in one would keep the reader's input waiting
let library = null, failed = false;

// Draws bars for each label, stacked by series. `data` is {labels, series: [{name, values, ink}], links?, across?}. `ink` is
// a colour of page.css; `across` draws horizontal bars, with room for long labels. A click calls `go` with the bar's link.
// `plain` leaves the labels to an overlay; `line` {name, values} is drawn by it, too, and has a column in the table;
// with another `place` than before, it is drawn even if the pointer is on it.
// `titles` are the tooltips' titles, if these are not the labels.
export function draw(id, title, data, go) {
  let chart = charts.get(id);
  if (!chart) charts.set(id, chart = new Chart(id, title));
  chart.show(data, go);
}

export async function load() {
  allowStyles();
  try { library = await import("./vendor/echarts.js"); } catch (reason) { failed = true; throw reason; } finally { redraw(); }
}

export function redraw() {
  for (const chart of charts.values()) soon(chart);
}

function soon(chart) {
  if (!waiting.size) setTimeout(next);
  waiting.add(chart);
}

function next() {
  const [chart] = waiting;
  waiting.delete(chart);
  if (waiting.size) setTimeout(next);
  chart?.draw();
}

// The library writes style attributes into its SVG elements, which the page's Content-Security-Policy forbids. Setting the
// same style through the style object is allowed. No other code of the page creates SVG styles.
function allowStyles() {
  SVGElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value; else Element.prototype.setAttribute.call(this, name, value);
  };
}

// Calls `paint(plot, plane, data)` after each time that the chart is drawn. `plot` is the element around the picture; `plane`,
// where the bars are in it, in pixels; null while the chart is a table. See `planeOf`.
export function overlay(id, paint) {
  overlays.set(id, paint);
  charts.get(id)?.draw();
}

class Chart {
  constructor(id, title) {
    this.title = title;
    this.tables = preference(`table-${id}`, false);
    this.host = document.getElementById(id);
    this.picture = element("div", { class: "picture", role: "img" });
    this.numbers = element("div", { class: "numbers", role: "region", tabindex: "0", "aria-label": `Table of ${title}` });
    this.swap = element("button", { type: "button", class: "swap" });
    this.swap.onclick = () => { this.tables = !this.tables; prefer(`table-${id}`, this.tables); this.draw(); };
    this.plot = element("div", { class: "plot" }, this.picture);
    this.host.replaceChildren(this.swap, this.plot, this.numbers);
    this.host.addEventListener("pointerleave", () => { if (this.late) this.draw(); });
    new ResizeObserver(() => { this.drawn?.resize(); this.over(); }).observe(this.picture);
  }

  show(data, go) {
    const text = JSON.stringify(data);
    if (text === this.text && !this.late) return; // what waits is drawn once the pointer rests
    const moved = data.place !== this.data?.place;
    Object.assign(this, { data, go, text });
    this.late = Boolean(this.drawn) && !moved && isPointedAt(this.host);
    if (this.late) waiting.delete(this); else soon(this); // while the pointer is on the chart, new numbers wait until it leaves
  }

  // Until the library is loaded, the picture's place stays empty.
  draw() {
    if (!this.data) return;
    this.late = false;
    const asTable = this.tables || failed;
    this.swap.hidden = failed;
    this.swap.textContent = asTable ? "as chart" : "as table";
    this.swap.setAttribute("aria-label", `${this.title} ${this.swap.textContent}`);
    this.plot.hidden = asTable;
    this.numbers.hidden = !asTable;
    if (asTable) replaceQuietly(this.numbers, table(this.data)); else this.paint();
    this.over();
  }

  over() {
    const shown = library && this.data && !this.plot.hidden && this.picture.clientWidth > 0;
    if (this.data) overlays.get(this.host.id)?.(this.plot, shown ? { ...planeOf(this.data, this.picture.clientWidth), tip: (show) => this.drawn?.setOption({ tooltip: { show } }) } : null, this.data);
  }

  paint() {
    const { across, labels, series, plain } = this.data;
    this.picture.style.height = `${across ? Math.max(LEAST_ROWS, labels.length) * ROW + EDGE + (series.length > 1 ? LEGEND : 0) : plain ? TALLER : HEIGHT}px`;
    this.picture.setAttribute("aria-label", summary(this.title, this.data));
    if (!library) return;
    this.drawn ??= library.init(this.picture, null, { renderer: "svg" });
    this.drawn.resize();
    this.drawn.setOption(option(this.data, inks(this.picture), this.picture.clientWidth), { notMerge: true });
    this.drawn.off("click");
    this.drawn.on("click", ({ dataIndex }) => { if (this.data.links) this.go(this.data.links[dataIndex]); });
  }
}

function table({ head, labels, series: drawn, links, line }) {
  const series = [...drawn, ...line ? [line] : []];
  const rows = labels.map((label, i) => [links ? element("a", { href: links[i] }, label) : label,
    ...series.map((one) => one.values[i].toLocaleString())]).filter((cells) => links || cells.slice(1).some((cell) => cell !== "0"));
  return element("table", {},
    element("thead", {}, element("tr", {}, ...[head, ...series.map((one) => one.name)].map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))));
}

// A text alternative for the chart.
function summary(title, { labels, series }) {
  const totals = labels.map((_, i) => series.reduce((sum, one) => sum + one.values[i], 0));
  const most = totals.indexOf(Math.max(...totals));
  if (!totals.some(Boolean)) return `Chart of ${title}: none`;
  const sums = series.map((one) => `${one.name} ${round(one.values.reduce((a, b) => a + b, 0))}`).join(", ");
  return `Chart of ${title}: ${sums}; most in ${labels[most]}, ${round(totals[most])}`;
}

function round(number) {
  return Number(number.toFixed(1)).toLocaleString();
}

// The left, right, top and bottom of the bars in a picture so many pixels wide, and `most`, the number at the top.
function planeOf({ labels, series, line }, width) {
  const totals = labels.map((_, i) => series.reduce((sum, one) => sum + one.values[i], 0));
  const { most, step } = scale(Math.max(0, ...totals, ...line?.values ?? []));
  return { left: 16 + 7 * most.toLocaleString().length, right: width - 12, top: 46, bottom: TALLER - 36, most, step };
}

function option(data, ink, width) {
  const { labels, titles, series, across, links, plain } = data;
  const plane = plain && planeOf(data, width);
  const whole = series.every((one) => one.values.every(Number.isInteger));
  const names = { type: "category", data: (titles ?? labels).map(keyed), inverse: Boolean(across),
    axisTick: { show: false }, axisLine: { lineStyle: { color: ink.line } },
    axisLabel: { show: !plain, color: ink.quiet, fontSize: 11, hideOverlap: true, width: across ? 150 : undefined, overflow: across ? "truncate" : "none" } };
  const numbers = { type: "value", splitLine: { lineStyle: { color: ink.line } }, minInterval: whole ? 1 : 0, splitNumber: 3,
    ...plain && { min: 0, max: plane.most, interval: plane.step },
    axisLabel: { color: ink.quiet, fontSize: 11, formatter: (number) => number.toLocaleString() } };
  return {
    animation: false,
    aria: { enabled: true, label: { enabled: false }, decal: { show: true, decals: { symbol: "none" } } },
    grid: plain ? { left: plane.left, right: width - plane.right, top: plane.top, bottom: TALLER - plane.bottom }
      : { left: 4, right: 12, top: series.length > 1 ? 24 : 4, bottom: 4, containLabel: true },
    legend: { show: series.length > 1, top: 0, left: 0, itemWidth: 14, itemHeight: 12, textStyle: { color: ink.text } },
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, confine: true,
      backgroundColor: ink.paper, borderColor: ink.line, textStyle: { color: ink.text },
      position: plain && (([x], _, __, ___, { contentSize: [wide] }) => [x + 12 + wide < width ? x + 12 : x - 12 - wide, plane.top + 4]) },
    xAxis: across ? numbers : names,
    yAxis: across ? names : numbers,
    series: series.map((one) => ({
      type: "bar", stack: "all", name: one.name, data: one.values, barMaxWidth: 16, cursor: links ? "pointer" : "default",
      itemStyle: { color: ink[one.ink], decal: DECALS[one.ink] ? { ...DECALS[one.ink], color: ink.decal } : undefined },
    })),
  };
}

// The library uses labels as keys of objects; with an invisible character in front, none is a name such as "__proto__".
function keyed(label) {
  return `\u2060${label.replace(UNSEEN, "")}`;
}

// The colours of the current theme, in a format that the library understands.
function inks(host) {
  const probe = element("i", { hidden: "" });
  host.append(probe);
  const found = {};
  for (const name of ["text", "quiet", "line", "paper", "accent", "critical", "warning", "info", "good", "decal"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// A small trend line without axes, as an SVG element.
export function sparkline(values, label) {
  const most = Math.max(1, ...values), step = 80 / Math.max(1, values.length - 1);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((value, i) => `${(i * step).toFixed(1)},${(17 - 16 * value / most).toFixed(1)}`).join(" "));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "sparkline");
  svg.setAttribute("viewBox", "0 0 80 18");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.append(line);
  return svg;
}
