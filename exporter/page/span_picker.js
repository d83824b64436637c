// Chooses any span of time: beside the presets, a button shows the present span and opens a sheet with a text field, two calendar
// fields, the spans around it, and what to compare with.

import { say } from "./announce.js";
import { now } from "./clock.js";
import { copy } from "./copy.js";
import { counted } from "./counted.js";
import { element } from "./dom.js";
import { exact, short } from "./span.js";
import { COMPARED, after, before, present, wider } from "./span_steps.js";
import { EXAMPLES, parse } from "./span_text.js";
import { RANGES, address } from "./state.js";
import { wall } from "./wall_time.js";

const QUICK = ["last night 22–06", "today", "yesterday"];
const SAY_MS = 700, COPIED_MS = 2000, EDGE_PX = 16, LEAST_PX = 120;

export class SpanPicker {
  // `go(change)` changes the state of the page.
  constructor(state, go) {
    Object.assign(this, { state, go, timer: 0 });
    this.host = document.getElementById("span") ?? element("div", { id: "span" });
    if (!this.host.isConnected) document.getElementById("range").after(this.host);
    this.host.setAttribute("role", "group");
    this.host.setAttribute("aria-label", "Span of time");
    this.opener = button("", () => this.toggle(), { class: "span-now", "aria-expanded": "false", "aria-controls": "span-sheet", "aria-haspopup": "dialog" });
    this.back = button("‹", () => this.step(before), { class: "span-step", "aria-label": "The span before", title: "The span before" });
    this.on = button("›", () => this.step(after), { class: "span-step", "aria-label": "The span after", title: "The span after" });
    this.sheet = element("div", { id: "span-sheet", class: "sheet span-sheet", role: "dialog", "aria-label": "Choose a span of time", hidden: "" });
    this.host.replaceChildren(this.back, this.opener, this.on, this.link("Copy link", "Copy link to exactly this"), this.sheet);
    this.fill();
    this.bind();
    this.draw();
  }

  fill() {
    this.text = element("input", { type: "text", id: "span-text", autocomplete: "off", spellcheck: "false", maxlength: "120",
      placeholder: EXAMPLES[0], "aria-describedby": "span-read" });
    this.read = element("p", { id: "span-read", class: "quiet" });
    this.from = element("input", { type: "datetime-local", id: "span-from", step: "60" });
    this.to = element("input", { type: "datetime-local", id: "span-to", step: "60", "aria-describedby": "span-dates-read" });
    this.datesRead = element("p", { id: "span-dates-read", class: "quiet" });
    this.steps = { before: button("The span before", () => this.step(before)), after: button("The span after", () => this.step(after)),
      wider: button("Zoom out", () => this.step(wider)) };
    this.choices = ["before", "yesterday", ""].map((how) => element("input", { type: "radio", name: "span-compare", value: how }));
    this.byText = element("form", { class: "span-line" }, element("label", { for: "span-text" }, "In words"), this.text, element("button", {}, "Show"));
    this.byDates = element("form", { class: "span-dates" }, element("label", {}, "From ", this.from), element("label", {}, "To ", this.to), element("button", {}, "Show"));
    this.sheet.append(
      element("div", { class: "span-quick span-presets" }, ...Object.entries(RANGES).map(([value, label]) => button(label, () => this.use({ range: Number(value) })))),
      this.byText, this.read,
      element("div", { class: "span-quick" }, ...QUICK.map((text) => button(text, () => this.use(parse(text, now()))))),
      this.byDates, this.datesRead,
      element("div", { class: "span-quick" }, ...Object.values(this.steps)),
      element("fieldset", {}, element("legend", {}, "Compare with"), ...this.choices.map((choice) => element("label", {}, choice, ` ${COMPARED[choice.value] ?? "nothing"}`))),
      this.link("Copy link to exactly this"));
  }

  bind() {
    this.text.oninput = () => this.preview();
    this.byText.onsubmit = (event) => { event.preventDefault(); this.use(this.preview()); };
    this.byDates.onsubmit = (event) => {
      event.preventDefault();
      const found = this.from.value ? parse(`${this.from.value} – ${this.to.value || "now"}`, now()) : { problem: "From is missing." };
      this.datesRead.textContent = found.problem ?? "";
      if (found.problem) { say(found.problem); (this.from.value ? this.to : this.from).focus(); } else this.use(found);
    };
    for (const choice of this.choices) choice.onchange = () => this.go({ compare: choice.value || null });
    this.host.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.sheet.hidden) return;
      event.preventDefault();
      event.stopPropagation();
      this.close(true);
    });
    this.host.addEventListener("focusout", ({ relatedTarget }) => { if (relatedTarget && !this.host.contains(relatedTarget)) this.close(); });
    document.addEventListener("pointerdown", ({ target }) => { if (!this.host.contains(target)) this.close(); });
  }

  // Called after each change of the state.
  draw() {
    const at = now(), last = !after(this.state, at);
    this.opener.replaceChildren(element("span", { class: "span-words" }, short(this.state)), element("span", { "aria-hidden": "true" }, " ▾"));
    this.opener.title = exact(this.state, at);
    this.opener.setAttribute("aria-label", `Span: ${short(this.state)}. Choose another`);
    for (const one of [this.on, this.steps.after]) one.setAttribute("aria-disabled", String(last)); // keeps the focus
    for (const choice of this.choices) choice.checked = choice.value === (this.state.compare ?? "");
    if (!this.sheet.hidden && !this.sheet.contains(document.activeElement?.closest(".span-dates"))) this.dates();
  }

  toggle() {
    if (!this.sheet.hidden) return this.close();
    this.sheet.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.text.value = this.read.textContent = this.datesRead.textContent = "";
    this.preview();
    this.dates();
    this.place();
    this.text.focus();
  }

  // Keeps the sheet on the screen, wherever the button is.
  place() {
    Object.assign(this.sheet.style, { left: "", maxHeight: "" });
    const { top, right } = this.sheet.getBoundingClientRect(), over = right + EDGE_PX - document.documentElement.clientWidth;
    if (over > 0) this.sheet.style.left = `${-over}px`;
    this.sheet.style.maxHeight = `${Math.max(LEAST_PX, innerHeight - top - EDGE_PX)}px`;
  }

  close(back = false) {
    if (this.sheet.hidden) return;
    this.sheet.hidden = true;
    clearTimeout(this.timer);
    this.opener.setAttribute("aria-expanded", "false");
    if (back) this.opener.focus();
  }

  // Says what the text is read as. Returns that.
  preview() {
    const found = parse(this.text.value, now());
    const said = this.text.value ? found.problem ?? exact({ range: null, from: null, to: null, ...found }) : `Such as ${EXAMPLES.slice(0, 4).map((one) => `“${one}”`).join(", ")}`;
    this.read.textContent = said;
    this.text.setAttribute("aria-invalid", String(Boolean(this.text.value && found.problem)));
    clearTimeout(this.timer);
    if (this.text.value) this.timer = setTimeout(() => say(said), SAY_MS);
    return found;
  }

  dates() {
    const [begin, end] = present(this.state, now());
    this.from.value = local(begin);
    this.to.value = this.state.to ? local(end) : "";
  }

  use(found) {
    if (found.problem) return void this.text.focus();
    this.close(true);
    this.go({ from: null, to: null, ...found });
  }

  step(to) {
    const found = to(this.state, now());
    if (found) this.go(found);
  }

  // A button that copies such a link.
  link(label, name = null) {
    const made = copy(label, () => linkTo(this.state));
    if (name) Object.assign(made, { title: name, ariaLabel: name });
    made.classList.add("span-link");
    let timer = 0;
    made.addEventListener("click", () => {
      clearTimeout(timer);
      if (name) made.ariaLabel = null; // the text says what happened
      timer = setTimeout(() => { made.textContent = label; if (name) made.ariaLabel = name; }, COPIED_MS);
    });
    return made;
  }
}

// A link to the page with both ends of its span and with what is open over it, so that it shows the same later.
export function linkTo(state) {
  return `${location.origin}${location.pathname}${exactly(state)}`;
}

// The address of the page with both ends of its span.
export function exactly(state) {
  const at = now(), [begin, end] = present(counted(state), at);
  return address({ ...state, from: new Date(begin).toISOString(), to: new Date(Math.min(end, at)).toISOString() });
}

function local(ms) {
  return new Date(wall(ms)).toISOString().slice(0, 16);
}

function button(text, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.onclick = act;
  return made;
}
