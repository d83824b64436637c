// The controls: range, filters, theme, reset; and the keyboard shortcuts.

import { ask } from "./api.js";
import { element, replace } from "./dom.js";
import { RANGES, address, preference, prefer, shut } from "./state.js";

const TYPED = "input:not([type=checkbox], [type=range]), select, textarea"; // elements that use letter keys themselves

const by = (id) => document.getElementById(id);

export function drawRange(state) {
  const preset = !state.from && !state.to;
  replace(by("range"), ...Object.entries(RANGES).map(([value, label]) => element("a", {
    href: address({ ...shut(state), range: value, from: null, to: null }), "aria-current": preset && Number(value) === state.range ? "true" : null }, label)));
}

// Draws the values of each filter, with the number of errors that each would select. Where only a part of the errors was
// searched, there may be more.
export function drawFacets({ searched_since: searched, ...facets }, filters) {
  const more = searched === null ? "" : "+";
  for (const [name, values] of Object.entries(facets)) {
    const select = document.querySelector(`select[data-filter=${name}]`);
    const chosen = filters[name]?.[0] ?? "";
    if (!select) continue;
    if ("optional" in select.dataset) select.hidden = !values.length && !chosen;
    select.toggleAttribute("data-chosen", Boolean(chosen));
    const offered = values.some(({ value }) => value === chosen) || !chosen ? values : [{ value: chosen, count: 0 }, ...values];
    if (select === document.activeElement && select.value === chosen) continue; // the list of the select may be open
    select.replaceChildren(element("option", { value: "" }, chosen ? `any ${name}` : select.getAttribute("aria-label")), ...offered.map(({ value, count }) =>
      element("option", { value }, `${value.slice(0, 60)} (${count.toLocaleString()}${more})`)));
    select.value = chosen;
  }
}

// Calls `choose(name, values, how)` for each change. Several values of one select in a row make one history entry.
export function bindFilters(choose) {
  let going = null;
  for (const select of document.querySelectorAll("select[data-filter]")) {
    select.onchange = () => {
      choose(select.dataset.filter, select.value ? [select.value] : [], { replace: going === select });
      going = select;
    };
    select.onblur = () => { going = null; };
  }
  addEventListener("popstate", () => { going = null; });
}

export function bindMenu() {
  const menu = document.querySelector(".menu");
  document.addEventListener("click", (event) => { if (!menu.contains(event.target) && !event.target.closest("dialog")) menu.open = false; });
  menu.addEventListener("focusout", ({ relatedTarget: to }) => { if (to && !menu.contains(to) && !to.closest("dialog")) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

export function bindTheme(redraw) {
  const select = by("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (select.value === "system" ? dark.matches : select.value === "dark");
  const draw = () => {
    by("theme-switch").querySelector("span").textContent = isDark() ? "Light theme" : "Dark theme";
    redraw();
  };
  const choose = () => {
    document.documentElement.dataset.theme = select.value;
    prefer("theme", select.value);
    draw();
  };
  select.value = document.documentElement.dataset.theme;
  select.onchange = choose;
  by("theme-switch").onclick = () => { select.value = isDark() ? "light" : "dark"; choose(); };
  dark.addEventListener("change", draw);
  draw();
}

export function bindReset(done) {
  const dialog = by("reset-dialog");
  by("reset").onclick = () => dialog.showModal();
  dialog.onclose = async () => {
    if (dialog.returnValue !== "reset") return;
    dialog.returnValue = "";
    try {
      await ask("/api/reset-counts", { method: "POST" });
      done("Critical errors are counted from now on. Nothing was deleted.");
    } catch {
      done("The counts could not be reset.");
    }
  };
}

export function bindKeys(keys) {
  by("keys").checked = preference("keys", true);
  by("keys").onchange = () => prefer("keys", by("keys").checked);
  document.addEventListener("keydown", (event) => {
    if (!by("keys").checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches(TYPED) || document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}
