// What HTML draws: tiles, tables, maps of states and text; and where each panel of a dashboard is.

const CELL = 30; // pixels of a line of the grid
const GAP = 8;
const WIDTH = 1200;
const LEAST = 150; // pixels of a column without a width

function nothing(place, panel) {
  element(place, "div", "nothing", panel.fieldConfig.defaults.noValue ?? "No data");
}

function stat(place, { panel, results }, { end }) {
  const tiles = element(place, "div", "stats");
  const values = panel.targets.flatMap((target) => {
    const found = results[target.refId];
    const names = found.length ? found.map(({ metric }) => legendOf(target, metric)) : [target.legendFormat];
    return names.map((name, index) => [name, found.length ? number(found[index].value[1]) : null]);
  });
  for (const [name, value] of values) {
    const { text, colour: own } = shown(value, fieldOf(panel, name), end);
    const tile = element(tiles, "div");
    const told = panel.options.textMode === "name" ? name : text;
    if (values.length > 1) element(tile, "small", "", name);
    const big = element(tile, "span", "", told);
    const fits = Math.min(tile.clientHeight * 0.55, tile.clientWidth / told.length * 1.5, 62);
    big.style.fontSize = `${fits}px`;
    big.style.lineHeight = 1.1;
    if (panel.options.colorMode === "background") {
      tile.style.background = colour(own);
      tile.style.color = own === "transparent" ? "inherit" : "#fff";
    } else {
      big.style.color = colour(own);
    }
  }
}

// The rows of the queries joined by their labels, with the columns that the panel's transformations leave.
function rowsOf({ panel, results }) {
  const several = Object.keys(results).length > 1;
  const rows = new Map();
  for (const [letter, found] of Object.entries(results)) {
    for (const { metric, value } of found) {
      const { __name__, ...labels } = metric;
      const key = JSON.stringify(Object.entries(labels).sort());
      if (!rows.has(key)) rows.set(key, { ...labels });
      rows.get(key)[several ? `Value #${letter}` : "Value"] = number(value[1]);
    }
  }
  return [...rows.values()];
}

function table(place, given, { end }) {
  const { panel } = given;
  const { excludeByName, indexByName, renameByName } = panel.transformations.at(-1).options;
  const columns = Object.keys(indexByName).filter((source) => !excludeByName[source])
    .sort((a, b) => indexByName[a] - indexByName[b])
    .map((source) => ({ source, name: renameByName[source], field: fieldOf(panel, renameByName[source]) }));
  const rows = rowsOf(given);
  if (!rows.length) return nothing(place, panel);
  for (const { displayName, desc } of panel.options.sortBy) {
    const { source } = columns.find(({ name }) => name === displayName);
    rows.sort((a, b) => (desc ? -1 : 1) * ((a[source] ?? -Infinity) - (b[source] ?? -Infinity)));
  }
  const made = element(place, "table");
  const auto = columns.filter(({ field }) => !field.custom.width);
  const left = columns.reduce((sum, { field }) => sum - (field.custom.width ?? 0), place.clientWidth);
  const width = Math.max(left / auto.length, LEAST); // if they do not fit, one scrolls to the others
  made.style.width = `${place.clientWidth - left + auto.length * width}px`;
  const head = element(made, "tr");
  for (const { name, source, field } of columns) {
    const cell = element(head, "th", source.startsWith("Value") ? "number" : "", name);
    cell.style.width = `${field.custom.width ?? width}px`;
  }
  const fit = Math.ceil(place.clientHeight / 35); // below, one scrolls
  for (const row of rows.slice(0, fit)) {
    const line = element(made, "tr");
    for (const { source, field } of columns) fill(element(line, "td"), row[source], field, end);
  }
}

function fill(cell, value, field, end) {
  const { text, colour: own } = shown(value, field, end);
  const { type } = field.custom.cellOptions ?? {};
  cell.className = typeof value === "number" ? "number" : "";
  if (type === "gauge") {
    const box = element(cell, "div", "filled");
    element(element(box, "i"), "div", "bar").style.width = `${100 * (value - field.min) / (field.max - field.min)}%`;
    element(box, "span", "", text);
    return;
  }
  cell.textContent = text;
  if (type === "color-background" && own !== "transparent") {
    Object.assign(cell.style, { background: colour(own), color: "#fff" });
  }
  if (type === "color-text") cell.style.color = colour(own);
}

function statusHistory(place, given, dashboard) {
  const all = seriesOf(given, dashboard);
  if (!all.length) return nothing(place, given.panel);
  const box = element(place, "div", "chart");
  const words = element(place, "div", "words");
  const field = fieldOf(given.panel, "");
  const told = field.mappings.filter(({ type }) => type === "value");
  for (const one of told.flatMap(({ options }) => Object.values(options))) {
    element(words, "span", "", one.text).style.setProperty("--of", colour(one.color));
  }
  const [names, ticks] = [90, 18];
  const [width, height] = [box.clientWidth - names, box.clientHeight - ticks];
  const column = width / all[0].points.length;
  const row = height / all.length;
  const size = Math.min(11, row);
  const parts = all.flatMap(({ name, points }, line) => [
    `<text x="${names - 6}" y="${(line + 0.5) * row + 4}" text-anchor="end" font-size="${size}">${name}</text>`,
    ...points.map(([, value], index) => value === null ? "" : `<rect x="${names + index * column}" y="${line * row}"
      width="${column * 0.95}" height="${row * 0.9}" fill-opacity="0.8"
      fill="${colour(shown(value, field).colour)}"/>`),
  ]);
  all[0].points.forEach(([at], index) => {
    if (at % 3_600_000 === 0) {
      parts.push(`<text x="${Math.min(names + (index + 0.5) * column, box.clientWidth - 16)}" y="${height + 14}"
        text-anchor="middle" font-size="11">${clock(at)}</text>`);
    }
  });
  box.innerHTML = `<svg width="${box.clientWidth}" height="${box.clientHeight}" fill="${colour("text")}">
    ${parts.join("")}</svg>`;
}

// Markdown: lists with numbers, paragraphs and bold words are all that is used.
function text(place, { panel }) {
  const bold = (words) => words.replace(/\*\*(.+?)\*\*/g, "<b>$1</b>");
  const box = element(place, "div", "text");
  box.innerHTML = panel.options.content.split("\n\n").map((part) => part.startsWith("1. ")
    ? `<ol>${part.split("\n").map((item) => `<li>${bold(item.replace(/^\d+\. /, ""))}</li>`).join("")}</ol>`
    : `<div>${bold(part)}</div>`).join("");
}

const DRAWN = { barchart, gauge, heatmap, stat, "status-history": statusHistory, table, text, timeseries };

function draw(dashboard, theme) {
  document.documentElement.className = theme;
  const header = document.querySelector("#header");
  element(header, "b", "", dashboard.title);
  for (const name of dashboard.variables) {
    element(element(header, "span", "", `${name} `), "i", "", name === "Page" ? "…" : "All");
  }
  element(header, "span", "", `Last ${dashboard.range / 3600} hours`);
  const main = document.querySelector("#panels");
  const column = (WIDTH - 2 * GAP + GAP) / 24;
  let bottom = 0;
  for (const given of dashboard.panels) {
    const { panel } = given;
    const { x, y, w, h } = panel.gridPos;
    const box = element(main, "section", panel.type === "row" ? "row" : "panel");
    Object.assign(box.style, { left: `${GAP + x * column}px`, top: `${y * (CELL + GAP)}px`,
      width: `${w * column - GAP}px`, height: `${h * (CELL + GAP) - GAP}px` });
    bottom = Math.max(bottom, (y + h) * (CELL + GAP));
    if (panel.type === "row") {
      box.textContent = `${panel.collapsed ? "▸" : "▾"} ${panel.title} `;
      const { length } = panel.panels;
      if (panel.collapsed) element(box, "small", "", `(${length} panel${length === 1 ? "" : "s"})`);
      continue;
    }
    element(box, "h2", "", panel.title);
    DRAWN[panel.type](element(box, "div", "body"), given, dashboard);
  }
  main.style.height = `${bottom}px`;
}
