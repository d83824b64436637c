// Loads the page again when the service has a new version of it. First it fetches the page: while a service is replaced, the old
// one, or a proxy's error page, may still answer, and a page of errors would never load itself again.

const PAUSE_MS = 5000, LONGEST_MS = 300_000, PATIENCE_MS = 15_000, AGAIN_MS = 10 * 60_000, KEY = "error-visualization.reloaded";

// Whether a page of version `mine` loads itself again for `theirs`. `last` is what it did so for last, as `{version, at}`: services
// of two versions behind one address must not make it load for ever.
export function isDue(mine, theirs, last, now) {
  if (!mine || !theirs || mine === theirs) return false;
  return last?.version !== theirs || now - last.at > AGAIN_MS || now < last.at;
}

let timer = 0;

export function follow(theirs, pause = PAUSE_MS) {
  clearTimeout(timer);
  const mine = version(document);
  if (!isDue(mine, theirs, remembered(), Date.now())) return;
  timer = setTimeout(async () => {
    if (await served() === theirs) {
      try { sessionStorage.setItem(KEY, JSON.stringify({ version: theirs, at: Date.now() })); } catch { return; }
      location.reload();
    } else {
      follow(theirs, Math.min(2 * pause, LONGEST_MS));
    }
  }, pause * (0.2 + Math.random()));
}

function version(page) {
  return page.querySelector("meta[name=version]")?.content ?? "";
}

// The version of the page that the service would send now; "" if it sends none.
async function served() {
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return response.ok ? version(new DOMParser().parseFromString(await response.text(), "text/html")) : "";
  } catch {
    return "";
  }
}

function remembered() {
  try { return JSON.parse(sessionStorage.getItem(KEY)); } catch { return null; }
}
