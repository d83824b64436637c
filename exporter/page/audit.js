// Who changed the state of a pattern or worker, and what ended by itself: the audit trail of it, newest first, page by page.

import { NoAnswer, Refusal, ask } from "./api.js";
import { element, time } from "./dom.js";
import { parts } from "./state_line.js";
import { told } from "./states.js";
import { section } from "./view_parts.js";

const PAGE = 10, MOST = 500;

// `of` is {pattern: ID} or {worker: NAME}, `to(error)` returns the address of an error. Returns the place and `load()`, which
// fetches the newest entries; without any, the place is empty.
export function history(of, to) {
  const place = element("div"), list = element("ol", { class: "plain history", tabindex: "0", "aria-label": "History" });
  const button = element("button", { type: "button", class: "more" }, "Older changes"), problem = element("p", { class: "problem", role: "alert" });
  let asked = 0, cursor = null;
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
    }
  };
  const after = (page) => {
    cursor = page.next_cursor;
    button.hidden = cursor === null || list.childElementCount >= MOST;
  };
  const load = () => attempt(async () => {
    const mine = ++asked, { page, made } = await entries();
    if (mine !== asked) return;
    list.replaceChildren(...made);
    after(page);
    if (made.length && !place.childElementCount) place.append(section("History", list, button, problem));
  });
  button.onclick = () => attempt(async () => {
    const mine = ++asked, { page, made } = await entries({ cursor });
    if (mine !== asked) return;
    list.append(...made);
    after(page);
    if (button.hidden) list.focus({ preventScroll: true });
  });
  return { place, load };
}
