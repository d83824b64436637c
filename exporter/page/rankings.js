// The tables of the tests, runs and devices with most errors. They are fetched less often than the numbers, and each is shown
// only where a report says what it belongs to.

import { NoAnswer, Refusal, aged, ask, query } from "./api.js";
import { ago } from "./dom.js";
import { link, table } from "./panels.js";

const EVERY_MS = 20_000, SHOWN = 10, MAX_AGE = 20; // seconds, of an answer
const HEADS = {
  test: ["test", "errors", "failed", "workers", "last"],
  run: ["run", "errors", "tests failed", "workers", "last"],
  device: ["device", "errors", "critical", "workers", "last"],
};

const by = (id) => document.getElementById(id);
let place = "", at = -Infinity;

// Fetches and draws the tables of what the page shows (`state`), unless that was done just now. `filter(name, value)` returns the URL of the page
// with that filter. Where the service does not answer, the tables stay as they are.
export async function show(state, filter, { anew = false } = {}) {
  const wanted = String(query(state));
  if (!anew && wanted === place && performance.now() - at < EVERY_MS) return;
  [place, at] = [wanted, performance.now()];
  try {
    const asked = Object.keys(HEADS).map((name) => ask(`/api/rankings?by=${name}&limit=${SHOWN}&${wanted}`, aged(anew ? 0 : MAX_AGE)));
    const answers = await Promise.all(asked);
    if (wanted !== place) return;
    for (const { by: name, values } of answers) draw(name, values, filter);
    by("rankings-panel").hidden = answers.every(({ values }) => !values.length);
  } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
    at = -Infinity;
  }
}

function draw(name, values, filter) {
  by(`ranked-${name}`).parentElement.hidden = !values.length;
  table(`ranked-${name}`, HEADS[name], values.map((row) => [
    name === "device" ? link(filter, name, row.name) : link(filter, "view", `${name}:${row.name}`, row.name), row.error_count.toLocaleString(),
    name === "device" ? row.critical_errors.toLocaleString() : failed(row.outcomes), row.workers.toLocaleString(), ago(row.last_seen)]));
}

// How many failed, of all that were not skipped; nothing without a summary of the run.
function failed(outcomes) {
  if (!outcomes) return "";
  const bad = outcomes.failed + outcomes.errors, all = bad + outcomes.passed;
  if (!all) return "skipped";
  const percent = outcomes.failure_rate * 100;
  return `${bad.toLocaleString()} of ${all.toLocaleString()} (${percent > 0 && percent < 1 ? "<1" : percent.toFixed(0)} %)`;
}
