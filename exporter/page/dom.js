// Helpers that build elements. They insert all text as text, so that a report's content is never markup.

import { now } from "./clock.js";

const ICONS = { critical: "▲", warning: "◆", info: "●" };
const AGO_MS = 20_000;
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always", style: "narrow" });

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

// Replaces the content of `host`. A focused link keeps the focus if the new content has a link with the same href.
export function replace(host, ...children) {
  const inside = host.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  host.replaceChildren(...children);
  if (inside) [...host.querySelectorAll("a")].find((link) => link.getAttribute("href") === inside)?.focus();
}

// The same for automatic updates: while the pointer is on `host`, the new content waits until it leaves.
export function replaceQuietly(host, ...children) {
  const pointed = host.children.length > 0 && host.matches(":hover") && matchMedia("(hover: hover)").matches;
  host.onpointerleave = pointed ? () => { host.onpointerleave = null; replace(host, ...children); } : null;
  if (!pointed) replace(host, ...children);
}

export function severity(word) {
  return element("span", { class: `severity ${word}` }, `${ICONS[word]} ${word}`);
}

// The time of day in the reader's zone, with the date if it is not today; the title has the full time. At midnight the date is
// added to what is on the page.
export function time(iso) {
  return element("time", { datetime: iso, title: full(iso), "data-clock": "" }, clockTime(iso));
}

function clockTime(iso) {
  const date = new Date(iso), today = new Date(now());
  if (date.toDateString() === today.toDateString()) return date.toLocaleTimeString([], { hourCycle: "h23" });
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return date.toLocaleString([], { day: "numeric", month: "short", year, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

// The full time in the reader's zone and in UTC.
function full(iso) {
  return `${new Date(iso).toLocaleString([], { dateStyle: "full", timeStyle: "long", hourCycle: "h23" })} (${iso})`;
}

// The mark of an error that does not count at the time that its report says; empty for others.
export function counted({ reported_at: reported }) {
  if (reported == null) return "";
  const text = `reported as ${reported}, counted at its receipt`;
  return element("span", { class: "counted", role: "img", "aria-label": text, title: text }, "≠");
}

// How long ago; the text is updated while it is on the page.
export function ago(iso) {
  return element("time", { datetime: iso, title: full(iso), "data-ago": "" }, since(iso));
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
