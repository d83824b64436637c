// Announcements for screen readers. The polite live region reports new errors, at most every ten seconds. The assertive
// one interrupts, for the first critical error after a quiet time and for a lost connection. While the reader has muted or paused
// the page, only what they do themselves is announced (`say`). While a dialog is open, the rest of the page is inert and its
// regions are not read, so the dialog gets regions of its own.

import { element } from "./dom.js";

const POLITE_MS = 10_000, QUIET_MS = 300_000;
const KNOWN_MS = 100; // until a screen reader knows a new region: only changes of a known one are read
const ROLES = { polite: "status", assertive: "alert" };

let count = 0, critical = 0, timer = 0, lastCritical = -Infinity, silent = () => false;

// `when()` returns whether nothing is announced by itself.
export function silence(when) {
  silent = when;
}

export function say(text) {
  put("polite", text);
}

export function interrupt(text) {
  if (!silent()) put("assertive", text);
}

function put(name, text) {
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (!dialog) return void (document.getElementById(name).textContent = text);
  const known = dialog.querySelector(`:scope > .${name}`);
  if (known) return void (known.textContent = text);
  const made = element("p", { class: `hidden ${name}`, role: ROLES[name] });
  dialog.append(made);
  setTimeout(() => { made.textContent ||= text; }, KNOWN_MS);
}

// What happened by itself, politely.
export function remark(text) {
  if (!silent()) say(text);
}

export function tell(errors) {
  if (silent()) return;
  const worst = errors.find((error) => error.is_critical);
  if (worst && performance.now() - lastCritical > QUIET_MS) interrupt(`Critical error on ${worst.worker_id}: ${worst.message || worst.type}`.slice(0, 200));
  if (worst) lastCritical = performance.now();
  count += errors.length;
  critical += errors.filter((error) => error.is_critical).length;
  timer ||= setTimeout(() => {
    remark(`${count} new ${count === 1 ? "error" : "errors"}${critical ? `, ${critical} critical` : ""}`);
    count = critical = timer = 0;
  }, POLITE_MS);
}
