// Notices when the service has a new version of the page: a wall then loads itself again, another page offers it. First it fetches
// the page: while a service is replaced, the old one, or a proxy's error page, may still answer, and a page of errors would never
// load itself again.

import { remark } from "./announce.js";
import { element } from "./dom.js";

const PAUSE_MS = 5000, LONGEST_MS = 300_000, PATIENCE_MS = 15_000, AGAIN_MS = 10 * 60_000, KEY = "error-visualization.reloaded";

// Whether a page of version `mine` loads itself again for `theirs`. `last` is what it did so for last, as `{version, at}`: services
// of two versions behind one address must not make it load for ever.
export function isDue(mine, theirs, last, now) {
  if (!mine || !theirs || mine === theirs) return false;
  return last?.version !== theirs || now - last.at > AGAIN_MS || now < last.at;
}

let timer = 0;

// Hears the version that the service has, after each connect. `ready` is `load` or `offer`.
export function follow(theirs, ready, pause = PAUSE_MS) {
  clearTimeout(timer);
  const mine = version(document);
  const notice = document.getElementById("new-version");
  if (mine === theirs && !notice?.contains(document.activeElement)) notice?.remove(); // the new one was taken back
  if (!isDue(mine, theirs, remembered(), Date.now())) return;
  timer = setTimeout(async () => {
    if (await served() === theirs) ready(theirs); else follow(theirs, ready, Math.min(2 * pause, LONGEST_MS));
  }, pause * (0.2 + Math.random()));
}

// Loads the page again by itself.
export function load(theirs) {
  if (remember(theirs)) location.reload();
}

// Lets the reader load it again, when it suits. Moves neither the page nor the focus.
export function offer(theirs) {
  const text = "The service has a new version", button = element("button", { type: "button" }, "Reload");
  button.onclick = () => { remember(theirs); location.reload(); };
  const known = document.getElementById("new-version");
  if (known) return void (known.querySelector("button").onclick = button.onclick);
  document.querySelector("header").append(element("p", { id: "new-version" }, text, button));
  remark(text);
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

// Returns whether the browser keeps it.
function remember(theirs) {
  try { sessionStorage.setItem(KEY, JSON.stringify({ version: theirs, at: Date.now() })); } catch { return false; }
  return true;
}

function remembered() {
  try { return JSON.parse(sessionStorage.getItem(KEY)); } catch { return null; }
}
