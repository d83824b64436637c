// Announcements for screen readers. The polite live region reports new errors, at most every ten seconds. The assertive
// one interrupts, for the first critical error after a quiet time and for a lost connection.

const POLITE_MS = 10_000, QUIET_MS = 300_000;

let count = 0, critical = 0, timer = 0, lastCritical = -Infinity;

export function say(text) {
  document.getElementById("polite").textContent = text;
}

export function interrupt(text) {
  document.getElementById("assertive").textContent = text;
}

export function tell(errors) {
  const worst = errors.find((error) => error.is_critical);
  if (worst && performance.now() - lastCritical > QUIET_MS) interrupt(`Critical error on ${worst.worker_id}: ${worst.message || worst.type}`.slice(0, 200));
  if (worst) lastCritical = performance.now();
  count += errors.length;
  critical += errors.filter((error) => error.is_critical).length;
  timer ||= setTimeout(() => {
    say(`${count} new ${count === 1 ? "error" : "errors"}${critical ? `, ${critical} critical` : ""}`);
    count = critical = timer = 0;
  }, POLITE_MS);
}
