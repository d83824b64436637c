// Keeps the screen on while the page is seen. The browser ends that when the tab is hidden or the battery is low, so it is asked
// for again when the tab is back, and every minute.

const AGAIN_MS = 60_000;

// `changed(yes)` gets whether the screen is kept on; `null` if this browser cannot do it (it needs HTTPS or localhost).
export function keepAwake(changed) {
  if (!navigator.wakeLock) return changed(null);
  let lock = null, asking = false;
  const ask = async () => {
    if (document.hidden || asking || (lock && !lock.released)) return;
    asking = true;
    try {
      lock = await navigator.wakeLock.request("screen");
      lock.onrelease = () => { changed(false); ask(); };
      changed(true);
    } catch {
      changed(false);
    } finally {
      asking = false;
    }
  };
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, AGAIN_MS);
  ask();
}
