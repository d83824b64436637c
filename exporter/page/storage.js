// How full the storage is: a line at the end of the page, and a warning at the top when space runs out. Like the list, the
// warning waits while somebody reads, because it moves what is below it.

import * as announce from "./announce.js";
import { NoAnswer, Refusal, ask } from "./api.js";
import * as clock from "./clock.js";
import { formatted } from "./dates.js";
import { element, time } from "./dom.js";
import { bytes, many, span } from "./spell.js";
import { onRest, still } from "./still.js";

const EVERY_MS = 60_000, FULL = 0.9, LOW = 0.1;

const by = (id) => document.getElementById(id);
let known = null, failed = false;

// Asks now, and every minute unless `paused()`.
export function watch(paused) {
  look();
  setInterval(() => { if (!paused()) look(); }, EVERY_MS);
  onRest(drawWarning);
}

// Asks and draws the answer; does nothing while the page is hidden.
export async function look() {
  if (document.hidden) return;
  try {
    known = { ...await ask("/api/storage"), at: new Date(clock.now()).toISOString() };
    failed = false;
  } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
    failed = true;
  }
  by("storage").replaceChildren(...known ? [...line(known), ...asOf()] : ["The service does not say how full its storage is."]);
  drawWarning();
}

function asOf() {
  return failed ? [" · as of ", time(known.at)] : [];
}

function line(storage) {
  const { errors, oldest, used_bytes: used, max_bytes: most, disk_free_bytes: free } = storage;
  return [
    ...errors ? [`${many(errors, "error")} since `, day(oldest), `, ${kept(storage)}`] : ["No errors stored"],
    " · ", most === null ? `${bytes(used)}, ${bytes(free)} free on this disk` : `${bytes(used)} of ${bytes(most)}`,
  ];
}

function kept({ retention_seconds: age, max_bytes: most, pinned_errors: errors, pinned_patterns: patterns }) {
  if (age === null && most === null) return "kept for ever";
  const longer = [errors && many(errors, "error"), patterns && many(patterns, "pattern")].filter(Boolean).join(" and ");
  return `kept ${age === null ? "until the database is full" : `for ${span(age)}`}${longer ? ` (${longer} for ever)` : ""}`;
}

function day(iso) {
  const made = time(iso), date = new Date(iso), today = new Date(clock.now());
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  if (date.toDateString() === today.toDateString()) return made;
  made.textContent = formatted(date, { day: "numeric", month: "short", year });
  delete made.dataset.clock; // at midnight, it does not become a day with a time
  return made;
}

// A full database is no reason for a warning if no age was promised: then its size decides how long errors are kept.
function warnings({ retention_seconds: age, used_bytes: used, max_bytes: most, disk_bytes: disk, disk_free_bytes: free }) {
  const found = [];
  if (free < LOW * disk) {
    found.push(`The disk is nearly full: ${bytes(free)} of ${bytes(disk)} are free. Without free space no error can be stored. `
      + "Free space on the disk, or stop the service and run `error-visualization compact`. max_db_size limits further growth.");
  }
  if (most !== null && age !== null && used > FULL * most) {
    found.push(`The database is nearly full: ${bytes(used)} of ${bytes(most)}. When it is full, the oldest errors are deleted before `
      + `they are ${span(age)} old. To keep them, raise max_db_size.`);
  }
  return found;
}

function drawWarning() {
  const host = by("full"), found = known ? warnings(known) : [], says = `${found.join(" ")}${failed ? known?.at : ""}`;
  if (says === (host.dataset.says ?? "") || still()) return;
  if (found.length && !host.childElementCount) announce.remark(found.join(" "));
  host.dataset.says = says;
  host.replaceChildren(...found.map((text) => element("li", {}, text, ...asOf())));
}
