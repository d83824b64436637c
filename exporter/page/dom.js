// Helpers that build elements. They insert all text as text, so that a report's content is never markup.

import { now } from "./clock.js";
import { CLOCK, FULL, SECONDS, formatted } from "./dates.js";
import { twice, zone } from "./wall_time.js";

const ICONS = { critical: "▲", warning: "◆", info: "●" };
const AGO_MS = 20_000;
const POINTED_MS = 30_000; // a pointer that has not moved for longer is not of somebody who reads
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
// Of one English for all readers: others say "12 min ago" or "12 mins ago", which is too wide for the tables.
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

// Replaces the content of `host`. A focused link or button keeps the focus if the new content has one that leads to the same
// place. Otherwise the region around it gets the focus, from where the next key goes on.
export function replace(host, ...children) {
  const focused = host !== document.activeElement && host.contains(document.activeElement) ? document.activeElement : null;
  const region = focused && (host.closest("[tabindex]") ?? host.closest("section, dialog, #headline"));
  host.replaceChildren(...children);
  if (!focused) return;
  const to = leadsTo(focused), same = to && [...host.querySelectorAll("a, button")].find((one) => leadsTo(one) === to);
  const next = focused.isConnected ? focused : same || region;
  if (next && next === region && !region.hasAttribute("tabindex")) region.setAttribute("tabindex", "-1");
  next?.focus({ preventScroll: true });
}

function leadsTo(one) {
  return one.getAttribute("href") ?? one.dataset.to;
}

// The same for automatic updates: while somebody points at `host`, the new content waits until the pointer leaves.
export function replaceQuietly(host, ...children) {
  const waits = host.children.length > 0 && isPointedAt(host);
  host.onpointerleave = waits ? () => { host.onpointerleave = null; replace(host, ...children); } : null;
  if (!waits) replace(host, ...children);
}

let movedAt = 0;
for (const what of ["pointermove", "pointerdown", "wheel"]) addEventListener(what, () => { movedAt = performance.now(); }, { capture: true, passive: true });

// Whether somebody points at `host`. A mouse that was left on it is none: its content would be old without a word.
export function isPointedAt(host) {
  return performance.now() - movedAt < POINTED_MS && host.matches(":hover") && matchMedia("(hover: hover)").matches;
}

export function severity(word) {
  return element("span", { class: `severity ${word}` }, `${ICONS[word]} ${word}`);
}

// The time of day in the reader's zone, with the date if it is not today; the title has the full time. At midnight the date is
// added to what is on the page. In the hour that comes twice when clocks are set back, it has its offset from UTC.
export function time(iso) {
  return element("time", { datetime: iso, title: inBothZones(iso), "data-clock": "" }, clockTime(iso));
}

function clockTime(iso) {
  const date = new Date(iso), today = new Date(now()), offset = !Number.isNaN(date.getTime()) && twice(date.getTime()) ? ` ${zone(date.getTime())}` : "";
  if (date.toDateString() === today.toDateString()) return formatted(date, SECONDS) + offset;
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return formatted(date, { day: "numeric", month: "short", year, ...CLOCK }) + offset;
}

// The full time in the reader's zone and in UTC.
function inBothZones(iso) {
  return `${formatted(new Date(iso), FULL)} (${iso})`;
}

// The mark of an error that does not count at the time that its report says; empty for others.
export function counted({ reported_at: reported }) {
  if (reported == null) return "";
  const text = `reported as ${reported}, counted at its receipt`;
  return element("span", { class: "counted", role: "img", "aria-label": text, title: text }, "≠");
}

// How long ago; the text is updated while it is on the page.
export function ago(iso) {
  return element("time", { datetime: iso, title: inBothZones(iso), "data-ago": "" }, since(iso));
}

function since(iso) {
  const seconds = Math.max(0, (now() - Date.parse(iso)) / 1000);
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS.at(-1);
  return relative.format(-Math.floor(seconds / size), unit);
}

let day = new Date(now()).toDateString();

setInterval(() => {
  for (const made of document.querySelectorAll("[data-ago]")) made.textContent = since(made.dateTime);
  const today = new Date(now()).toDateString();
  if (today === day) return;
  day = today;
  for (const made of document.querySelectorAll("[data-clock]")) made.textContent = clockTime(made.dateTime);
}, AGO_MS);
