// Small pictures of numbers over time, without axes: bars of counts and lines of measurements, as SVG elements.

const NS = "http://www.w3.org/2000/svg";
const WIDE = 600, HIGH = 48;

// Bars of counts, oldest first.
export function bars(values, label) {
  const most = Math.max(1, ...values), wide = WIDE / Math.max(1, values.length);
  return picture("bars", label, values.flatMap((value, i) => (value ? [shape("rect", {
    x: (i * wide).toFixed(2), width: Math.max(1, wide - 1).toFixed(2), y: (HIGH - Math.max(2, HIGH * value / most)).toFixed(2), height: Math.max(2, HIGH * value / most).toFixed(2) })] : [])));
}

// A line through `points`, pairs of milliseconds and a value between 0 and `most`.
export function line(points, most, label) {
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (at) => (last > first ? (at - first) / (last - first) * (WIDE - 4) + 2 : WIDE / 2);
  const y = (value) => HIGH - 2 - Math.min(1, Math.max(0, value / most)) * (HIGH - 4);
  const places = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  const drawn = points.length > 1 ? [shape("polyline", { points: places.join(" ") })] : [];
  return picture("line", label, [...drawn, shape("circle", { cx: x(last).toFixed(1), cy: y(points.at(-1)[1]).toFixed(1), r: 2.5 })]);
}

function picture(kind, label, shapes) {
  const made = shape("svg", { class: `trend ${kind}`, viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  made.append(...shapes);
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
