// Chooses a span on the chart over time: by dragging with mouse, finger or pen, or with the keyboard: arrows move, Shift with
// arrows selects, Enter shows the selected span, Escape forgets it, minus zooms out.

import { element } from "./dom.js";
import { duration, moment } from "./span.js";

const LEAST_PX = 6; // a shorter movement is a click

export class Drag {
  // `choose(begin, end)` gets a chosen span in milliseconds; `zoomOut()` is called after a double click.
  constructor(choose, zoomOut) {
    Object.assign(this, { choose, zoomOut, plane: null, data: null, anchor: null, at: null, pointer: null });
    this.box = element("div", { class: "selection", hidden: "" });
    this.said = element("p", { class: "selection-said", hidden: "", "aria-hidden": "true" });
    this.keys = element("div", { class: "chart-keys", role: "slider", tabindex: "0", "aria-label": "Errors over time: arrows read, Shift with arrows selects a span, Enter shows it, minus zooms out",
      "aria-orientation": "horizontal" });
    this.keys.onkeydown = (event) => this.key(event);
    this.keys.onblur = () => this.forget();
  }

  // Takes where the chart is drawn now, null if nowhere. `plot` is the element that pointers move over, `layer` what is drawn over it.
  use(plot, layer, plane, data) {
    Object.assign(this, { plane, data, layer });
    this.keys.hidden = !plane;
    if (this.plot !== plot) this.listen(plot);
    if (!plane) return this.forget();
    if (this.keys.parentElement !== plot) plot.append(this.keys);
    Object.assign(this.keys.style, { left: `${plane.left}px`, width: `${plane.right - plane.left}px`, top: `${plane.top}px`, height: `${plane.bottom - plane.top}px` });
    const last = data.starts.length - 1;
    if (this.index === undefined || this.index > last) this.index = last;
    this.keys.setAttribute("aria-valuemin", "0");
    this.keys.setAttribute("aria-valuemax", String(last));
    this.tell();
  }

  // Draws the selection over what has been drawn anew.
  draw() {
    this.layer.append(this.box, this.said);
    this.show();
  }

  listen(plot) {
    this.plot = plot;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary || !this.plane || event.target.closest("a") || !this.inside(event)) return;
      Object.assign(this, { pointer: event.pointerId, anchor: this.time(event), at: null, from: event.clientX });
    });
    plot.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.pointer) return;
      if (this.at === null && Math.abs(event.clientX - this.from) < LEAST_PX) return;
      if (this.at === null) {
        plot.setPointerCapture(event.pointerId);
        this.plane.tip(false);
      }
      event.preventDefault();
      this.at = this.time(event);
      this.show();
    });
    plot.addEventListener("pointerup", (event) => { if (event.pointerId === this.pointer) this.end(); });
    plot.addEventListener("pointercancel", () => this.forget());
    plot.addEventListener("dblclick", (event) => { if (this.plane && this.inside(event) && !event.target.closest("a")) this.zoomOut(); });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.pointer !== null && this.at !== null) { event.stopPropagation(); this.forget(); }
    }, { capture: true });
  }

  inside({ clientX, clientY }) {
    const { left, top } = this.plot.getBoundingClientRect(), [x, y] = [clientX - left, clientY - top];
    return x >= this.plane.left && x <= this.plane.right && y >= this.plane.top && y <= this.plane.bottom;
  }

  time({ clientX }) {
    const { left, right } = this.plane, [begin, end] = this.ends();
    const part = (clientX - this.plot.getBoundingClientRect().left - left) / (right - left);
    return begin + (end - begin) * Math.min(1, Math.max(0, part));
  }

  ends() {
    return [this.data.starts[0], this.data.starts.at(-1) + this.data.seconds * 1000];
  }

  // The selected buckets as [begin, end]; null if none is selected.
  selected() {
    if (this.anchor === null || this.at === null) return null;
    const width = this.data.seconds * 1000, [begin] = this.ends();
    const edge = (ms, round) => begin + round((ms - begin) / width) * width;
    return [edge(Math.min(this.anchor, this.at), Math.floor), edge(Math.max(this.anchor, this.at), Math.ceil)];
  }

  show() {
    const span = this.selected();
    this.box.hidden = this.said.hidden = !span;
    this.plot?.toggleAttribute("data-selecting", Boolean(span));
    if (!span) return;
    const { left, right, top, bottom } = this.plane, [begin, end] = this.ends();
    const [x1, x2] = span.map((ms) => left + (right - left) * (ms - begin) / (end - begin));
    Object.assign(this.box.style, { left: `${x1}px`, width: `${x2 - x1}px`, top: `${top}px`, height: `${bottom - top}px` });
    this.said.textContent = `${moment(span[0])} – ${moment(span[1])} · ${duration(span[1] - span[0])}`;
  }

  end() {
    const span = this.selected();
    this.forget();
    if (span) this.choose(...span);
  }

  forget() {
    if (this.pointer !== null && this.at !== null) this.plane?.tip(true);
    Object.assign(this, { pointer: null, anchor: null, at: null });
    this.show();
  }

  key(event) {
    const { starts, seconds } = this.data, last = starts.length - 1, width = seconds * 1000;
    const to = { ArrowLeft: this.index - 1, ArrowDown: this.index - 1, ArrowRight: this.index + 1, ArrowUp: this.index + 1, Home: 0, End: last,
      PageUp: this.index + 10, PageDown: this.index - 10 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && this.anchor !== null) this.forget();
    else if (event.key === "Enter" && this.selected()) this.end();
    else if (event.key === "Enter") this.choose(starts[this.index], starts[this.index] + width);
    else if (event.key === "-") this.zoomOut();
    else if (to !== undefined) this.move(Math.min(last, Math.max(0, to)), event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.tell();
  }

  // Times within a bucket, so that exactly the buckets between are selected.
  move(index, selects) {
    const middle = (i) => this.data.starts[i] + this.data.seconds * 500;
    if (selects) this.anchor ??= middle(this.index); else this.anchor = null;
    this.index = index;
    this.at = selects ? middle(index) : null;
    this.show();
  }

  tell() {
    const span = this.selected(), { labels, series } = this.data;
    const counts = series.map((one) => [one.values[this.index], one.name]).filter(([count]) => count).map(([count, name]) => `${count.toLocaleString()} ${name}`);
    this.keys.setAttribute("aria-valuenow", String(this.index));
    this.keys.setAttribute("aria-valuetext", span ? `selected ${this.said.textContent}` : `${labels[this.index]}: ${counts.join(", ") || "no errors"}`);
  }
}
