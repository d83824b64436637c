// The field "Filter or search": while one types, it offers the values of all filters that contain the text, each to be included
// or excluded; of patterns those whose text has each word. Enter without a chosen value searches for the text.

import { NoAnswer, Refusal, ask, query } from "./api.js";
import { element } from "./dom.js";
import { remember } from "./pattern_text.js";

const WAIT_MS = 150, SHOWN = 4, LONGEST = 80;
const by = (id) => document.getElementById(id);
let asked = 0, timer = 0, active = -1;

// `state` is what the page shows. `choose(field, value, out)` is called with a value to include or, if `out`, to exclude;
// `search(text)` with a text to search for.
export function bind(state, choose, search) {
  const field = by("q"), list = by("found");
  const options = () => [...list.querySelectorAll("[role=option]")];
  const close = () => { asked += 1; clearTimeout(timer); list.hidden = true; list.replaceChildren(); mark(options(), -1); field.setAttribute("aria-expanded", "false"); };
  const take = (option, out) => {
    field.value = state.filters.q?.[0] ?? ""; // the search that is still in force
    close();
    choose(option.dataset.field, option.dataset.value, out);
  };
  field.oninput = () => {
    clearTimeout(timer);
    if (!field.value.trim()) return close();
    timer = setTimeout(() => offer(field.value.trim(), state, field, list), WAIT_MS);
  };
  field.onkeydown = (event) => {
    const all = options();
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); close(); }
    else if (event.key === "ArrowDown" && all.length) { event.preventDefault(); mark(all, (active + 1) % all.length); }
    else if (event.key === "ArrowUp" && all.length) { event.preventDefault(); mark(all, (active <= 0 ? all.length : active) - 1); }
    else if (event.key === "Enter" && all[active]) { event.preventDefault(); take(all[active], event.shiftKey); }
  };
  field.onblur = () => setTimeout(close);
  list.onpointerdown = (event) => event.preventDefault(); // the field keeps the focus
  list.onclick = (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option, Boolean(event.target.closest(".exclude")) || event.shiftKey);
  };
  by("search").onsubmit = (event) => { event.preventDefault(); close(); search(field.value.trim()); };
}

function mark(options, place) {
  active = place;
  options.forEach((option, i) => option.setAttribute("aria-selected", String(i === place)));
  if (options[place]) by("q").setAttribute("aria-activedescendant", options[place].id); else by("q").removeAttribute("aria-activedescendant");
  options[place]?.scrollIntoView({ block: "nearest" });
}

async function offer(text, state, field, list) {
  const mine = ++asked;
  const place = query({ ...state, filters: {} }, { contains: text, values: SHOWN });
  let facets;
  try { facets = await ask(`/api/errors/facets?${place}`); } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
    return; // searching for the text still works
  }
  if (mine !== asked || document.activeElement !== field) return;
  const found = Object.entries(facets).filter(([, values]) => Array.isArray(values)).flatMap(([name, values]) =>
    values.map((one) => ({ ...one, name })));
  for (const { value, text: template } of facets.pattern) remember(value, template);
  list.replaceChildren(
    element("ul", { role: "listbox", id: "found-list", "aria-label": "Values that contain the text" }, ...found.map(option)),
    element("p", { class: "quiet" }, found.length ? "↵ shows only these · ⇧ ↵ or “not” hides them · ↵ without a choice searches for the text"
      : "No value contains this. ↵ searches messages and tracebacks for it."));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  mark([...list.querySelectorAll("[role=option]")], -1);
}

function option({ name, value, text = value, count }, i) {
  return element("li", { role: "option", id: `found-${i}`, "aria-selected": "false", "data-field": name, "data-value": value },
    element("span", { class: "field" }, name), " ", element("span", { class: "value", title: text }, text.slice(0, LONGEST)), " ",
    element("span", { class: "number" }, count.toLocaleString(), element("span", { class: "hidden" }, ` ${count === 1 ? "error" : "errors"}; Shift Enter excludes`)),
    element("span", { class: "exclude", title: `not this ${name}`, "aria-hidden": "true" }, "not"));
}
