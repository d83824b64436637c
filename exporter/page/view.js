// The dialog over the page that shows one thing: an error, pattern, worker, run or test. It fills a small screen. The URL holds
// what is open. Its bar, with the way back and out, stays visible.

import { NoAnswer } from "./api.js";
import { copy } from "./copy.js";
import * as details from "./details.js";
import { element } from "./dom.js";
import { linkTo } from "./span_picker.js";
import { preference } from "./state.js";
import * as pattern from "./view_pattern.js";
import * as run from "./view_run.js";
import * as test from "./view_test.js";
import * as worker from "./view_worker.js";

const KINDS = { error: details, pattern, worker, run, test };
const PLACES = 50; // of things that were left by a link, whose focus and scroll position are kept
const TYPED = "input, select, textarea";

const places = new Map();
let asked = 0, again = null, current = null, opener = null, steps = {}, pressed = null;

// Opens the dialog at once with what `opened` names ("pattern:ID"), and fills it when the answers arrive. An answer that arrives
// after a later call is dropped. `page` is what the page offers to a view:
// - `state`, as in state.js; `visit` and `list` of the page;
// - `filter(name, value)` returns the URL of the page with that filter, `view(kind, id)` that of a view;
// - `changed(text, id)` is called after a pattern was regrouped.
// A view exports `draw(body, id, tools)`, which may throw what `ask` throws. `tools` is `page` with `wanted()`, which returns
// whether the answer is still wanted, and `step({newer, older})`, functions that lead to the error before and after.
export async function show(dialog, opened, page) {
  const mine = ++asked, moved = dialog.open, returned = page.visit.returning;
  const [kind, id] = [opened.slice(0, opened.indexOf(":")), opened.slice(opened.indexOf(":") + 1)];
  again = null;
  if (moved && current !== opened) leavePlace(dialog, current);
  const told = moved && current === opened ? dialog.querySelector(".told")?.textContent : "";
  if (!moved) opener = document.activeElement;
  current = opened;
  const body = element("div", { class: "body", tabindex: "-1", autofocus: "", "aria-busy": "true" }, element("p", { class: "quiet" }, "Loading…"));
  const known = Object.hasOwn(KINDS, kind) && id !== "";
  dialog.setAttribute("aria-label", known ? `${kind === "error" ? "Error" : kind[0].toUpperCase() + kind.slice(1)} details` : "Details");
  dialog.replaceChildren(bar(dialog, page), element("p", { class: "told", role: "status" }, told ?? ""), body);
  dialog.onclose = () => {
    if (dialog.open) return; // it was opened again before the browser said that it had closed
    asked += 1;
    again = current = null;
    dialog.replaceChildren();
    page.visit.leave();
    returnFocus();
  };
  dialog.onkeydown = keyed;
  steps = {};
  if (!moved) dialog.showModal();
  dialog.scrollTop = 0;
  if (moved) body.focus(); // the element that had the focus was replaced
  const wanted = () => mine === asked;
  const step = (to) => { if (wanted()) drawSteps(dialog, to); };
  try {
    if (!known) body.replaceChildren(element("p", {}, "This link names nothing that can be shown: ", element("code", {}, opened.slice(0, 200))));
    else await KINDS[kind].draw(body, id, { ...page, wanted, step });
  } catch (failure) {
    if (!wanted()) return;
    const away = failure instanceof NoAnswer || failure.status >= 500;
    if (!away && !failure.status) {
      body.replaceChildren(element("p", {}, "This cannot be shown: the page has a fault, which the browser's console names."));
      throw failure;
    }
    if (away) again = () => show(dialog, opened, page);
    body.replaceChildren(element("p", {}, away ? "The service does not answer. The page tries again when it is back." : failure.message));
  } finally {
    body.removeAttribute("aria-busy");
  }
  if (wanted() && returned) returnPlace(dialog, opened);
}

// Repeats the last request if it failed.
export function retry() {
  again?.();
}

// Says in the open dialog what happened; the rest of the page cannot be read while it is open. Returns whether it is open.
export function tell(text) {
  const place = document.querySelector("dialog[open] .told");
  if (place) place.textContent = text;
  return Boolean(place);
}

function bar(dialog, { visit, state }) {
  const back = element("button", { type: "button", class: "back", "data-first": visit.beneath ? null : "" }, "‹ Back");
  back.onclick = () => { if (visit.beneath) visit.back(); else dialog.close(); };
  const shut = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  shut.onclick = () => dialog.close();
  return element("div", { class: "tools" }, back, element("span", { class: "steps" }), copy("Copy the link", () => linkTo(state)), shut);
}

// The buttons that lead to the error before and after. The one that was pressed has the focus in the next view, too, so that it
// can be pressed again and again.
function drawSteps(dialog, to) {
  steps = Object.fromEntries(Object.entries(to).filter(([, go]) => go).map(([name, go]) => [name, () => { pressed = name; go(); }]));
  const place = dialog.querySelector(".steps");
  place.replaceChildren(...[["newer", "‹ Newer"], ["older", "Older ›"]].map(([name, text]) => {
    const button = element("button", { type: "button", class: name, disabled: steps[name] ? null : "" }, text);
    button.onclick = steps[name] ?? null;
    return button;
  }));
  if (pressed && document.activeElement.matches("#details > .body")) {
    (place.querySelector(`.${pressed}:not(:disabled)`) ?? place.querySelector("button:not(:disabled)"))?.focus({ preventScroll: true });
  }
  pressed = null;
}

function keyed(event) {
  if (!preference("keys", true) || event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED)) return;
  const name = { k: "newer", j: "older" }[event.key];
  if (name && steps[name]) { event.preventDefault(); steps[name](); }
}

function leavePlace(dialog, opened) {
  const focused = dialog.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  places.delete(opened);
  places.set(opened, { href: focused, top: dialog.scrollTop });
  if (places.size > PLACES) places.delete(places.keys().next().value);
}

function returnPlace(dialog, opened) {
  const place = places.get(opened);
  if (!place) return;
  linkIn(dialog, place.href)?.focus({ preventScroll: true });
  dialog.scrollTop = place.top;
}

function linkIn(host, href) {
  return href && [...host.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
}

// The browser gives the focus back to the element that had it. If that is gone, a link to the same place gets it, or the list.
function returnFocus() {
  if (!opener || opener === document.body) return;
  if (document.activeElement !== document.body) return;
  const link = linkIn(document.querySelector("main"), opener.getAttribute("href"));
  (link ?? document.getElementById("errors-title")).focus({ preventScroll: true });
}
