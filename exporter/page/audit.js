// Who changed the state of a pattern or worker, what ended by itself, and notes: the audit trail of it, newest first, page by page.

import { NoAnswer, Refusal, ask } from "./api.js";
import { element, replace, time } from "./dom.js";
import { parts } from "./state_line.js";
import { told } from "./states.js";
import { section } from "./view_parts.js";

const PAGE = 10, MOST = 100; // rows that are kept while changes come, unless the reader has fetched more

// `of` is {pattern: ID} or {worker: NAME}, `to(error)` returns the address of an error. Returns the place and `load()`, which
// fetches the newest entries and keeps the older ones that are shown; without any, the place is empty.
export function history(of, to) {
  const place = element("div"), list = element("ol", { class: "plain history", tabindex: "0", "aria-label": "History" });
  const button = element("button", { type: "button", class: "more" }, "Older changes"), problem = element("p", { class: "problem", role: "alert" });
  let begun = 0, newest = 0, cursor = null, most = MOST; // `begun` counts how often the list began anew, or lost its end
  const entries = async (more) => {
    const page = await ask(`/api/audit?${new URLSearchParams({ ...of, limit: PAGE, ...more })}`);
    return { page, made: page.entries.map((entry) => element("li", { "data-number": entry.number }, time(entry.at), " ", element("div", {}, ...parts(told(entry), to), ...noteOf(entry)))) };
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
    note(page);
    cut();
    show();
  });
  // Each page says where the next one begins, so the list can be cut after its last row.
  const note = ({ entries: shown, next_cursor: next }) => {
    const last = next && [...list.children].find((row) => row.dataset.number === String(shown.at(-1).number));
    if (last) last.dataset.next = next;
  };
  // Drops the oldest rows of a pattern that changes all the time. They can be fetched again.
  const cut = () => {
    const rows = [...list.children], end = rows.findLastIndex((row, i) => i < most && row.dataset.next);
    if (rows.length <= most || end < 0) return;
    const gone = rows.slice(end + 1), focused = gone.some((row) => row.contains(document.activeElement));
    for (const row of gone) row.remove();
    begun += 1;
    cursor = rows[end].dataset.next;
    if (focused) list.focus({ preventScroll: true });
  };
  button.onclick = () => attempt(async () => {
    most = Math.max(most, list.childElementCount + PAGE); // a change meanwhile must not drop what was asked for
    const mine = ++begun, { page, made } = await entries({ cursor });
    if (mine !== begun) return; // another click, or the list began anew
    list.append(...made);
    most = Math.max(most, list.childElementCount);
    cursor = page.next_cursor;
    note(page);
    show();
    if (button.hidden) list.focus({ preventScroll: true });
  });
  return { place, load };
}

// The text of a note, with its line breaks.
function noteOf({ text }) {
  return text == null ? [] : [element("p", { class: "note", dir: "auto" }, text)];
}
