// Notifications while the tab is hidden: its title and icon and, if turned on, desktop notifications.

import { preference, prefer } from "./state.js";

const PAUSE_MS = 2000;

let unseen = 0, last = -PAUSE_MS;

export function tell(errors) {
  if (!document.hidden) return;
  unseen += errors.length;
  draw();
  const worst = errors.find((error) => error.is_critical);
  if (worst && wanted() && performance.now() - last > PAUSE_MS) {
    last = performance.now();
    show(worst);
  }
}

function show(error) {
  try {
    const note = new Notification(`Critical: ${error.type} on ${error.worker_id}`, { body: error.message.slice(0, 200), tag: error.pattern_id, silent: true });
    note.onclick = () => { window.focus(); note.close(); };
  } catch { /* some browsers allow notifications only from service workers */ }
}

function draw() {
  document.title = unseen ? `(${unseen}) Errors` : "Errors";
  document.querySelector("link[rel=icon]").href = `/static/icon${unseen ? "-unseen" : ""}.svg`;
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
