// The filters in force, as chips: each says "worker is w1" or "worker is not w1", can be turned around, and be removed.

import { element } from "./dom.js";
import { textOf } from "./pattern_text.js";
import { inWords } from "./span.js";
import { EXCLUDED, base, excludable, invert } from "./state.js";

const by = (id) => document.getElementById(id);

// Draws a chip for each value of each filter, and one for a span that is none of the presets. `choose(filters)` sets the filters;
// `forgetSpan()` goes back to a preset. If the focused button was removed, the focus moves to the next one, or to the list.
export function draw(state, choose, forgetSpan) {
  const buttons = [...by("chips").querySelectorAll("button")];
  const place = buttons.indexOf(document.activeElement);
  const shown = (name, value) => (base(name) === "pattern" && textOf(value, state, () => draw(state, choose, forgetSpan))) || value;
  const chips = Object.entries(state.filters).flatMap(([name, values]) => values.map((value) => chip(name, value, shown(name, value), state.filters, choose)));
  if (state.from || state.to) {
    chips.unshift(element("span", { class: "chip" }, element("span", { class: "value" }, inWords(state, true)),
      button("remove", " ×", "Remove the span of time", forgetSpan)));
  }
  by("chips").replaceChildren(...chips);
  if (place >= 0) {
    const left = by("chips").querySelectorAll("button");
    (left[place] ?? left[left.length - 1] ?? by("errors-title")).focus({ preventScroll: true });
  }
}

// `text` is what the reader sees of the value.
function chip(name, value, text, filters, choose) {
  const field = base(name), out = name.endsWith(EXCLUDED), said = out ? "is not" : "is";
  const turn = excludable(field)
    ? button("turn", said, `${said}: ${out ? "include" : "exclude"} ${field} ${text} instead`, () => choose(invert(filters, name, value)))
    : element("span", { class: "turn" }, said);
  return element("span", { class: `chip ${out ? "out" : ""}` }, field, " ", turn, " ", element("span", { class: "value", title: text === value ? value : `${text} (${value})` }, text),
    button("remove", " ×", `Remove the filter ${out ? "not " : ""}${field} ${text}`, () => choose(without(filters, name, value))));
}

function button(kind, text, label, act) {
  const made = element("button", { type: "button", class: kind, "aria-label": label, title: label }, text);
  made.onclick = act;
  return made;
}

function without(filters, name, value) {
  const { [name]: values, ...others } = filters;
  const left = values.filter((one) => one !== value);
  return left.length ? { ...filters, [name]: left } : others;
}
