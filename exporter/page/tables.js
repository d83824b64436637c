// Tables of the page: aligned numbers, one quiet link a row, a mark to exclude the row, and columns that sort.

import { element, replaceQuietly } from "./dom.js";
import { preference, prefer } from "./state.js";

const ARROWS = { ascending: "▲", descending: "▼" };
const tables = new Map();

// Draws `rows` into the element with this id. A column is {key, head, cell, number?, sort?, title?}: `cell(row)` returns a text or
// elements, `sort(row)` what to sort by (a number or a text; null comes last). Where a column has `sort`, its head is a button;
// `first` is the column to sort by unless the reader chose another one. `most` limits the number of rows.
export function table(id, columns, rows, { first, most, none = "none in this time range" } = {}) {
  const host = document.getElementById(id);
  if (!rows.length) {
    tables.delete(id);
    return replaceQuietly(host, element("p", { class: "quiet" }, none));
  }
  const known = tables.get(id), made = known?.columns === columns.length && known.body.isConnected ? known : begin(id, host, columns, first);
  host.onpointerleave = null; // what waited there was older
  Object.assign(made, { all: rows, most, of: columns });
  fill(made);
}

function begin(id, host, columns, first) {
  const body = element("tbody"), made = { id, body, columns: columns.length, by: first ? preference(`sort-${id}`, first) : null };
  if (made.by && !columns.some(({ head }) => head === made.by[0])) made.by = first;
  const heads = columns.map((column) => {
    const cell = element("th", { scope: "col", class: classes(column), title: column.title });
    if (!column.sort) cell.append(column.head);
    else {
      const button = element("button", { type: "button" }, column.head, element("span", { class: "arrow", "aria-hidden": "true" }));
      button.onclick = () => {
        const [name, order] = made.by;
        made.by = [column.head, name === column.head && order === "descending" ? "ascending" : name === column.head ? "descending" : column.number ? "descending" : "ascending"];
        prefer(`sort-${id}`, made.by);
        fill(made, true);
      };
      cell.append(button);
    }
    return cell;
  });
  made.heads = heads;
  host.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body));
  tables.set(id, made);
  return made;
}

function fill(made, atOnce) {
  const { by, of, all, most, body, heads } = made;
  const sorted = by ? order(all, of.find(({ head }) => head === by[0]), by[1]) : all;
  heads.forEach((cell, i) => {
    if (!of[i].sort) return;
    const chosen = of[i].head === by[0];
    cell.setAttribute("aria-sort", chosen ? by[1] : "none");
    cell.querySelector(".arrow").textContent = chosen ? ARROWS[by[1]] : "";
  });
  const rows = sorted.slice(0, most).map((row) => element("tr", {}, ...of.map((column) =>
    element("td", { class: classes(column) }, ...[column.cell(row)].flat()))));
  if (atOnce) body.replaceChildren(...rows); else replaceQuietly(body, ...rows);
}

function classes({ number, kind }) {
  return [number && "number", kind].filter(Boolean).join(" ") || null;
}

function order(rows, { sort }, direction) {
  const sign = direction === "descending" ? -1 : 1;
  return rows.map((row) => [sort(row), row]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  }).map(([, row]) => row);
}

// A quiet link; its title has the whole text, of which the row may show only a part.
export function link(to, title, text = title) {
  return element("a", { href: to, title, class: "text" }, text);
}

// A button that shows only what the row is about: what has `value` in `field`. The address `to`, of the state when the row was
// drawn, tells buttons apart.
export function only(to, field, name, value = name) {
  return element("button", { type: "button", "data-to": to, "data-field": field, "data-value": value, class: "only", "aria-label": `Only ${field} ${name}`, title: `only this ${field}` });
}

// A button that leaves that out.
export function not(to, field, name, value = name) {
  return element("button", { type: "button", "data-to": to, "data-field": field, "data-value": value, class: "not", "aria-label": `Exclude ${field} ${name}`, title: `not this ${field}` });
}
