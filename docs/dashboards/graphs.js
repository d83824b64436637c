// What ECharts draws: graphs over time, gauges, bar charts, heatmaps.

function chart(place, options) {
  const css = getComputedStyle(document.documentElement);
  const drawn = echarts.init(place, null, { renderer: "canvas" });
  drawn.setOption({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: css.getPropertyValue("--text") },
    ...options,
  });
}

function axis(more) {
  const line = document.documentElement.className === "dark" ? "rgba(240,250,255,.09)" : "rgba(0,10,23,.09)";
  const text = colour("text");
  return {
    axisLine: { show: false }, axisTick: { show: false }, nameTextStyle: { color: text, fontSize: 11 },
    ...more,
    splitLine: { show: true, lineStyle: { color: line }, ...more.splitLine },
    axisLabel: { color: text, fontSize: 11, hideOverlap: true, ...more.axisLabel },
  };
}

function clock(milliseconds) {
  return new Date(milliseconds).toISOString().slice(11, 16);
}

function timeAxis({ end, range }, width) {
  const hours = Math.ceil(range / 3600 / (width / 70));
  return axis({ type: "time", min: (end - range) * 1000, max: end * 1000, minInterval: hours * 3_600_000,
    maxInterval: hours * 3_600_000, axisLabel: { formatter: clock } });
}

function valueAxis(field, place, most) {
  const label = field.custom.axisLabel;
  const between = stepOf(field, most);
  return axis({
    type: "value", position: place, splitNumber: 4, scale: field.min === undefined, min: field.min,
    max: field.max ?? (between && Math.ceil(most / between) * between),
    minInterval: field.decimals === 0 ? 1 : undefined, splitLine: { show: place === "left" },
    ...(label && { name: label, nameLocation: "middle", nameRotate: 90, nameGap: 30 }),
    interval: between,
    axisLabel: { formatter: (value) => short(written(value, field)) },
  });
}

// Without zeros at the end of a fraction.
function short(text) {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?!\d)/, "");
}

function written(value, { unit, decimals }) {
  return shown(value, { unit, decimals }).text;
}

// Between two lines of the grid, where ECharts would not choose round numbers.
function stepOf({ unit, max }, most) {
  if (unit === "percentunit" && max === 1) return 0.25;
  if (unit !== "bytes" || !most) return undefined;
  const rough = most / 4;
  const power = 1024 ** Math.floor(Math.log(rough) / Math.log(1024));
  return power * [1, 2, 5, 10, 20, 50, 100, 200, 500, 1024].find((times) => times * power >= rough);
}

function timeseries(place, given, dashboard) {
  const { panel } = given;
  const all = seriesOf(given, dashboard);
  if (!all.length) return nothing(place, panel);
  const graph = element(place, "div", "chart");
  legend(place, panel, all);
  const right = all.find(({ field }) => field.custom.axisPlacement === "right");
  const left = all.find(({ field }) => field.custom.axisPlacement !== "right");
  const bar = Math.max(1, 0.75 * graph.clientWidth * given.step / dashboard.range);
  const most = Math.max(...all.flatMap(({ points }) => points.map(([, value]) => value ?? 0)));
  const named = fieldOf(panel, "").custom.axisLabel;
  chart(graph, {
    grid: { left: named ? 30 : 2, right: right ? 8 : 18, top: 8, bottom: 2, containLabel: true },
    xAxis: timeAxis(dashboard, graph.clientWidth),
    yAxis: [valueAxis(left.field, "left", most), ...(right ? [valueAxis(right.field, "right", most)] : [])],
    series: all.map(({ name, field, points, colour: own }, index) => {
      const { drawStyle, fillOpacity, lineStyle, lineWidth, stacking, axisPlacement } = field.custom;
      const common = { name, data: points, yAxisIndex: axisPlacement === "right" ? 1 : 0, itemStyle: { color: own },
        markLine: index ? undefined : { silent: true, symbol: "none", label: { show: false },
          data: [...limits(panel), ...moments(dashboard)] } };
      if (drawStyle === "bars") {
        return { ...common, type: "bar", barWidth: bar, barGap: "-100%", stack: stacking.mode === "normal" && "all",
          itemStyle: { color: own, opacity: 0.3 + fillOpacity / 143 } };
      }
      return { ...common, type: "line", showSymbol: false, connectNulls: false,
        areaStyle: { opacity: fillOpacity / 100 },
        lineStyle: { width: lineWidth + 0.3, type: lineStyle?.fill === "dash" ? "dashed" : "solid" } };
    }),
  });
}

function limits(panel) {
  const { thresholds, custom } = panel.fieldConfig.defaults;
  if (custom.thresholdsStyle?.mode !== "dashed") return [];
  return thresholds.steps.filter(({ value }) => value !== null).map(({ value, color }) => ({
    yAxis: value, lineStyle: { color: colour(color), type: [8, 6], width: 1.5 },
  }));
}

function moments({ annotations }) {
  return annotations.map(({ at, colour: own }) => ({
    xAxis: at * 1000, lineStyle: { color: colour(own), type: [4, 4], width: 1, opacity: 0.75 },
  }));
}

// A table of all series. Grafana shows as many lines as fit into a third of the panel, and scrolls.
function legend(place, panel, all) {
  if (!panel.options.legend?.showLegend) return;
  const width = place.clientWidth;
  const told = all.map(({ name, field, points }) => {
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    const two = values.length ? [values.at(-1), Math.max(...values)] : [null, null];
    return [name, ...two.map((value) => written(value, field))];
  });
  const letters = (place) => Math.max(6, ...told.map((texts) => texts[place].length));
  const [names, lasts, mosts] = [0, 1, 2].map((place) => letters(place) * (place ? 5.4 : 5.9));
  const fit = Math.floor((width + 14) / (Math.min(names, 125) + 2 * Math.max(lasts, mosts) + 30));
  const least = all.length > 8 && width > 330 && names < 150 ? 2 : 1; // or the graph would be too low
  const columns = all.length > 4 ? Math.max(least, Math.min(3, fit)) : 1;
  const table = element(place, "div", "legend");
  table.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  table.style.setProperty("--wide", `${Math.max(lasts, mosts)}px`);
  for (let column = 0; column < columns; column += 1) line(table, "Name", ["Last *", "Max"], "").className = "head";
  told.forEach(([name, ...values], index) => line(table, name, values, all[index].colour));
}

function line(table, name, values, own) {
  const made = element(table, "div");
  made.style.setProperty("--of", own);
  element(made, "span", "name", name);
  for (const value of values) element(made, "span", "", value);
  return made;
}

function gauge(place, { panel, results }) {
  const field = fieldOf(panel, "");
  const value = number(Object.values(results)[0][0].value[1]);
  const { text, colour: own } = shown(value, field);
  const ends = [...field.thresholds.steps.slice(1).map((step) => step.value / field.max), 1];
  const ring = field.thresholds.steps.map((step, index) => [ends[index], colour(step.color)]);
  const shape = { type: "gauge", startAngle: 200, endAngle: -20, min: field.min, max: field.max, center: ["50%", "66%"],
    pointer: { show: false }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { show: false } };
  chart(element(place, "div", "chart"), { series: [
    { ...shape, radius: "100%", axisLine: { lineStyle: { width: 4, color: ring } }, data: [] },
    { ...shape, radius: "92%", progress: { show: true, width: 16, itemStyle: { color: colour(own) } },
      axisLine: { lineStyle: { width: 16, color: [[1, "rgba(128,128,140,.18)"]] } },
      detail: { formatter: text, offsetCenter: [0, 0], fontSize: 26, color: colour(own) }, data: [{ value }] },
  ] });
}

function barchart(place, { panel, results }) {
  const rows = results.A.map(({ metric, value }) => [metric[panel.options.xField], number(value[1])]);
  if (!rows.length) return nothing(place, panel);
  const field = fieldOf(panel, "Value");
  const most = Math.max(...rows.map(([, value]) => value));
  chart(element(place, "div", "chart"), {
    grid: { left: 2, right: 30, top: 2, bottom: 2, containLabel: true },
    xAxis: axis({ type: "value", min: 0, max: most * 1.08, splitNumber: 4,
      axisLabel: { showMaxLabel: false, formatter: (value) => shown(value, field).text } }),
    yAxis: axis({ type: "category", inverse: true, data: rows.map(([name]) => name), splitLine: { show: false },
      axisLabel: { width: 150, overflow: "truncate", interval: 0 } }),
    series: [{ type: "bar", data: rows.map(([, value]) => value), barWidth: "80%",
      itemStyle: { color: colour(field.color.fixedColor), opacity: 0.85 },
      label: { show: true, position: "right", color: colour("text"), fontSize: 11,
        formatter: ({ value }) => shown(value, field).text } }],
  });
}

// Prometheus counts a bucket together with all below it; Grafana shows each alone.
function heatmap(place, given, dashboard) {
  const buckets = seriesOf(given, dashboard).sort((a, b) => number(a.metric.le.replace("+Inf", "Infinity"))
    - number(b.metric.le.replace("+Inf", "Infinity")));
  const times = buckets[0].points.map(([at]) => at);
  const cells = buckets.flatMap(({ points }, row) => points.map(([, value], column) =>
    [column, row, Math.max(0, value - (row ? buckets[row - 1].points[column][1] : 0))]));
  const kept = cells.filter(([, , value]) => value > given.panel.options.filterValues.le);
  const hourly = (index) => times[index] % 3_600_000 === 0;
  chart(element(place, "div", "chart"), {
    grid: { left: 2, right: 18, top: 8, bottom: 34, containLabel: true },
    xAxis: axis({ type: "category", data: times, splitLine: { show: false },
      axisLabel: { interval: hourly, formatter: (at) => clock(Number(at)) } }),
    yAxis: axis({ type: "category", data: buckets.map(({ metric }) => metric.le), splitLine: { show: false },
      axisLabel: { interval: 1, formatter: (le) => le === "+Inf" ? le : UNITS.s(Number(le)) } }),
    visualMap: { min: 0, max: Math.max(...kept.map((cell) => cell[2])), orient: "horizontal", left: "center", bottom: 0,
      itemWidth: 10, itemHeight: 120, textStyle: { color: colour("text"), fontSize: 11 }, calculable: false,
      text: [UNITS.reqps(Math.max(...kept.map((cell) => cell[2]))), "0"],
      inRange: { color: ["#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"] } },
    series: [{ type: "heatmap", data: kept }],
  });
}
