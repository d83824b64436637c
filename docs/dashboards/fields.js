// What a query's results are called and how they look: legends, overrides and Grafana's named colours.

const COLOURS = {
  light: { red: "#e02f44", orange: "#ff780a", yellow: "#f2cc0c", green: "#56a64b", blue: "#3274d9", purple: "#a352cc",
    text: "#24292e", transparent: "transparent" },
  dark: { red: "#f2495c", orange: "#ff9830", yellow: "#fade2a", green: "#73bf69", blue: "#5794f2", purple: "#b877d9",
    text: "#ccccdc", transparent: "transparent" },
};
const CLASSIC = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d",
  "#fade2a", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab"];

function colour(name) {
  return COLOURS[document.documentElement.className][name] ?? name;
}

// The options of a series or column: the panel's, with those of an override for its name.
function fieldOf(panel, name) {
  const field = structuredClone(panel.fieldConfig.defaults);
  field.custom ??= {};
  for (const { matcher, properties } of panel.fieldConfig.overrides ?? []) {
    if (matcher.options !== name) continue;
    for (const { id, value } of properties) {
      if (id.startsWith("custom.")) field.custom[id.slice(7)] = value;
      else field[id] = value;
    }
  }
  return field;
}

function legendOf(target, labels) {
  if (target.legendFormat) return target.legendFormat.replace(/{{(\w+)}}/g, (_, label) => labels[label] ?? "");
  return Object.entries(labels).map(([key, value]) => `${key}="${value}"`).join(", ");
}

function number(text) {
  return text === "NaN" ? null : Number(text);
}

// The series of a panel over time, each with a value or null at every step.
function seriesOf({ panel, results, step }, { end, range }) {
  const last = Math.floor(end / step) * step;
  const first = Math.floor((end - range) / step) * step;
  const found = [];
  for (const target of panel.targets) {
    for (const { metric, values } of results[target.refId]) {
      const known = new Map(values.map(([at, value]) => [at, number(value)]));
      const points = [];
      for (let at = first; at <= last; at += step) points.push([at * 1000, known.get(at) ?? null]);
      const name = legendOf(target, metric);
      const field = fieldOf(panel, name);
      const { mode, fixedColor } = field.color ?? {};
      const own = mode === "fixed" ? colour(fixedColor) : CLASSIC[found.length % CLASSIC.length];
      found.push({ name, field, points, metric, colour: own });
    }
  }
  return found;
}

function element(parent, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}
