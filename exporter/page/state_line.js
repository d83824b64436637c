// Texts of states.js as elements.

import { now } from "./clock.js";
import { full } from "./dates.js";
import { element } from "./dom.js";
import { atMoment, said, saidDrained, short, shortDrained, silence } from "./states.js";

const AGAIN_MS = 20_000;

// `to(error)` returns the address of an error, if the parts name one.
export function parts(list, to = null) {
  return list.map((part) => {
    if (typeof part === "string") return part;
    if ("name" in part) return element("bdi", {}, part.name);
    if ("error" in part) return element("a", { href: to(part.error) }, `error ${part.error}`);
    const made = element("time", { datetime: part.at, title: full(part.at), "data-moment": part.on ? "on" : "" });
    return write(made);
  });
}

// A link to a pattern in a table, with its state as a short word where there is something to say.
export function marked(link, state) {
  const text = short(state);
  return text ? element("div", { class: "marked" }, link, mark(text, [plain(said(state)), silence(state)].filter(Boolean).join(". "))) : link;
}

export function drainMark(drained) {
  return drained ? mark(shortDrained(drained), plain(saidDrained(drained))) : "";
}

const mark = (text, title) => element("span", { class: "said-short", title }, text);

function plain(list) {
  return list.map((part) => (typeof part === "string" ? part : part.name ?? atMoment(part.at, now(), part.on))).join("").replace(/^\S /, "");
}

function write(made) {
  const text = atMoment(made.dateTime, now(), made.dataset.moment === "on");
  if (made.textContent !== text) made.textContent = text;
  return made;
}

setInterval(() => document.querySelectorAll("[data-moment]").forEach(write), AGAIN_MS); // after midnight the date is said, too
