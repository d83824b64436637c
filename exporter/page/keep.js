// The button that pins an error or a pattern, or undoes it.

import { ask } from "./api.js";
import { element } from "./dom.js";
import { may } from "./session.js";

const MEANING = {
  error: "A kept error is not deleted by retention, max_db_size or a deletion on request.",
  pattern: "The errors of a kept pattern are not deleted by retention, max_db_size or a deletion on request.",
};

// `what` is "error" or "pattern", and `path` its path in the API. Returns the button and a place for its problems; for a
// reader who may not change anything, only a word.
export function keep(what, path, pinned) {
  if (!may("admin")) return [pinned ? "kept" : "not kept"];
  const button = element("button", { type: "button", class: "keep", title: MEANING[what] });
  const problem = element("span", { role: "alert", class: "problem" });
  let busy = false;
  const draw = () => {
    button.textContent = pinned ? "Kept" : "Keep";
    button.setAttribute("aria-label", pinned ? `Kept: this ${what}` : `Keep this ${what}`);
    button.setAttribute("aria-pressed", String(pinned));
  };
  button.onclick = async () => {
    if (busy) return;
    busy = true;
    problem.textContent = "";
    try {
      ({ pinned } = await ask(`${path}/${pinned ? "unpin" : "pin"}`, { method: "POST" }));
      draw();
    } catch (failure) {
      problem.textContent = failure.status ? failure.message : "The service does not answer.";
    } finally {
      busy = false;
    }
  };
  draw();
  return [button, " ", problem];
}
