// Who changed the state of a pattern or worker, and what ended by itself: the audit trail of it, newest first, page by page.

import { NoAnswer, Refusal, ask } from "./api.js";
import { element, replace, time } from "./dom.js";
import { parts } from "./state_line.js";
import { told } from "./states.js";
import { section } from "./view_parts.js";

const PAGE = 10;

// `of` is {pattern: ID} or {worker: NAME}, `to(error)` returns the address of an error. Returns the place and `load()`, which
// fetches the newest entries and keeps the older ones that are shown; without any, the place is empty.
export function history(of, to) {
  const place = element("div"), list = element("ol", { class: "plain history", tabindex: "0", "aria-label": "History" });
  const button = element("button", { type: "button", class: "more" }, "Older changes"), problem = element("p", { class: "problem", role: "alert" });
  let begun = 0, newest = 0, cursor = null; // `begun` counts how often the list began anew
  const entries = async (more) => {
    const page = await ask(`/api/audit?${new URLSearchParams({ ...of, limit: PAGE, ...more })}`);
    return { page, made: page.entries.map((entry) => element("li", {}, time(entry.at), " ", element("span", {}, ...parts(told(entry), to)))) };
  };
  const attempt = async (work) => {
    problem.textContent = "";
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
      problem.textContent = failure.status ? failure.message : "The history could not be fetched.";
      show();
    }
  };
  const show = () => {
    list.hidden = !list.childElementCount;
    button.hidden = cursor === null;
    if (!place.childElementCount && !(list.hidden && !problem.textContent)) place.append(section("History", list, button, problem));
  };
  const load = () => attempt(async () => {
    const { page, made } = await entries(), fresh = page.entries.filter(({ number }) => number > newest).length;
    if (fresh < made.length) list.prepend(...made.slice(0, fresh)); // newest first
    else if (fresh) { // the first ones, or there are others between these and the list
      begun += 1;
      replace(list, ...made);
      cursor = page.next_cursor;
    }
    newest = Math.max(newest, page.entries[0]?.number ?? 0);
    show();
  });
  button.onclick = () => attempt(async () => {
    const mine = ++begun, { page, made } = await entries({ cursor });
    if (mine !== begun) return; // another click, or the list began anew
    list.append(...made);
    cursor = page.next_cursor;
    show();
    if (button.hidden) list.focus({ preventScroll: true });
  });
  return { place, load };
}
