// A table of a JSON value as it was sent: a row for each text, number or truth in it, with the names that lead to it.

import { element } from "./dom.js";

const MOST = 200, DEEPEST = 8;

// Returns null for a value with nothing in it.
export function flat(value) {
  const rows = pairs(value).slice(0, MOST + 1);
  if (!rows.length) return null;
  const cut = rows.length > MOST ? [element("p", { class: "quiet" }, `These are the first ${MOST} values; the report below has all of them.`)] : [];
  return element("div", {}, element("table", { class: "flat" }, element("tbody", {}, ...rows.slice(0, MOST).map(([path, text]) => element("tr", {},
    element("th", { scope: "row" }, path.join(" ").replaceAll("_", " ") || "value"), element("td", {}, text))))), ...cut);
}

// Pairs of a path and a text, in the order of the value; somewhat more than `MOST` at most.
export function pairs(value, path = [], found = []) {
  if (value === null || value === undefined || found.length > MOST) return found;
  if (typeof value !== "object") found.push([path, String(value)]);
  else if (path.length >= DEEPEST) found.push([path, JSON.stringify(value)]);
  else if (Array.isArray(value) && value.length && value.every((one) => one !== null && typeof one !== "object")) found.push([path, value.join(", ")]);
  else for (const [name, one] of Object.entries(value)) pairs(one, [...path, name], found);
  return found;
}
