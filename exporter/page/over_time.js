// The chart over time: errors by severity, the compared span, what happened when, and the axis.

import * as charts from "./charts.js";
import { Drag } from "./chart_drag.js";
import * as marks from "./chart_marks.js";
import { element } from "./dom.js";
import { moment } from "./span.js";
import { twice } from "./wall_time.js";

export const ID = "over-time";

// Draws the chart of an overview. `line` is what Compare.line returns; `filter(name, value)` returns the page's URL with that
// filter; `place` is the page's address: after a step to another one, the chart does not wait until the pointer leaves it.
export function draw(overview, line, filter, place) {
  const { bucket_seconds: seconds, points } = overview.error_distribution.time_series;
  const starts = points.map((point) => Date.parse(point.timestamp));
  const of = (name) => ({ name, ink: name, values: points.map((point) => point[name]) });
  charts.draw(ID, "errors over time", {
    head: "from", plain: true, place, seconds, starts, labels: starts.map((at) => label(at, seconds)), line,
    titles: line && starts.map((at, i) => `${label(at, seconds)} (${line.name}: ${line.values[i].toLocaleString()})`),
    series: [of("critical"), of("warning"), of("info")], marks: marks.marks(overview, filter), gaps: marks.gaps(overview),
  });
}

// The start of a bucket, with its day.
function label(at, seconds) {
  return moment(at, twice(at), seconds < 60);
}

// Lets the reader choose spans on the chart. `choose(begin, end)` and `zoomOut()` change the span of the page.
export function bind(choose, zoomOut) {
  const layer = element("div", { class: "layer" }), drag = new Drag(choose, zoomOut);
  const out = element("button", { type: "button", class: "zoom-out", title: "Twice as long; also by a double click on the chart" }, "Zoom out");
  out.onclick = zoomOut;
  charts.overlay(ID, (plot, plane, data) => {
    if (!layer.isConnected) {
      plot.append(layer);
      plot.before(out);
    }
    drag.use(plot, layer, plane, data);
    if (!plane) return;
    marks.paint(layer, plane, data);
    drag.draw();
  });
}
