// Announcements for screen readers. The polite live region reports new errors, at most every ten seconds. The assertive
// one interrupts, for the first critical error after a quiet time and for a lost connection. While the reader has muted or paused
// the page, only what they do themselves is announced (`say`).

const POLITE_MS = 10_000, QUIET_MS = 300_000;

let count = 0, critical = 0, timer = 0, lastCritical = -Infinity, silent = () => false;

// `when()` returns whether nothing is announced by itself.
export function silence(when) {
  silent = when;
}

export function say(text) {
  document.getElementById("polite").textContent = text;
}

export function interrupt(text) {
  if (!silent()) document.getElementById("assertive").textContent = text;
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
