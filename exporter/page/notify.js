// Notifications while the tab is hidden: its title and icon and, if turned on, desktop notifications of events (events.js). On a
// wall, title and icon also have the colour of the verdict.

import { preference, prefer } from "./state.js";

const PAUSE_MS = 2000;
const SIGNS = { critical: "▲ Critical", warning: "◆ Warning", calm: "● Calm", unknown: "○ Not known" };
const TITLES = { surge: "Warnings surge", recovered: "Calm again" };

let unseen = 0, last = -PAUSE_MS, colour = null;

// Counts errors that nobody has seen. `event` is the critical error to tell of on the desktop, if there is one.
export function tell(count, event) {
  if (!document.hidden) return;
  unseen += count;
  draw();
  if (event && wanted() && performance.now() - last > PAUSE_MS) {
    last = performance.now();
    show(`Critical: ${event.type} on ${event.worker_id}`, event.message, event.pattern_id);
  }
}

// Tells of an event of the verdict. The last one replaces those before.
export function say(event, { sentence }) {
  if (document.hidden) show(TITLES[event], sentence, "verdict");
}

function show(title, body, tag) {
  if (!wanted()) return;
  try {
    const note = new Notification(title, { body: body.slice(0, 200), tag, silent: true });
    note.onclick = () => { window.focus(); note.close(); };
  } catch { /* some browsers allow notifications only from service workers */ }
}

// Puts the colour of the verdict into title and icon, from now on.
export function paint(now) {
  colour = now;
  draw();
}

function draw() {
  document.title = `${unseen ? `(${unseen}) ` : ""}${colour ? `${SIGNS[colour]} · ` : ""}Errors`;
  document.querySelector("link[rel=icon]").href = `/static/icon${colour ? `-${colour}` : unseen ? "-unseen" : ""}.svg`;
}

function wanted() {
  return preference("notifications", false) && "Notification" in window && Notification.permission === "granted";
}

export function bind() {
  const box = document.getElementById("notifications");
  box.checked = wanted();
  box.disabled = !("Notification" in window);
  box.onchange = async () => {
    if (box.checked && Notification.permission !== "granted") box.checked = await Notification.requestPermission() === "granted";
    prefer("notifications", box.checked);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { unseen = 0; draw(); } });
}
