// The tables of the tests, runs and devices with most errors. They are fetched less often than the numbers, and each is shown
// only where a report says what it belongs to.

import { NoAnswer, Refusal, aged, ask, query } from "./api.js";
import { ago } from "./dom.js";
import { link, not, only, table } from "./tables.js";

const EVERY_MS = 20_000, SHOWN = 10, MAX_AGE = 20; // seconds, of an answer
const NAMES = ["test", "run", "device"];

const by = (id) => document.getElementById(id);
let place = "", at = -Infinity;

// Fetches, in one request, and draws the tables of what the page shows (`state`), unless that was done just now. `names` as in panels.js. Where the service does not answer, the tables stay as they are.
export async function show(state, names, { anew = false } = {}) {
  const wanted = String(query(state));
  if (!anew && wanted === place && performance.now() - at < EVERY_MS) return;
  [place, at] = [wanted, performance.now()];
  try {
    const found = await ask(`/api/rankings?by=${NAMES.join("&also=")}&limit=${SHOWN}&${wanted}`, aged(anew ? 0 : MAX_AGE));
    if (wanted !== place) return;
    const answers = [found, ...found.also];
    for (const { by: name, values } of answers) draw(name, values, names);
    by("rankings-panel").hidden = answers.every(({ values }) => !values.length);
  } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
    at = -Infinity;
  }
}

function draw(name, values, { narrowed, without, view }) {
  by(`ranked-${name}`).parentElement.hidden = !values.length;
  const bad = name === "device" ? { head: "critical", cell: (row) => row.critical_errors.toLocaleString() }
    : { head: name === "test" ? "failed" : "tests failed", cell: (row) => failed(row.outcomes) };
  table(`ranked-${name}`, [
    { head: name, kind: "wide", cell: (row) => [link(name === "device" ? narrowed(name, row.name) : view(name, row.name), row.name, name === "test" ? short(row.name) : row.name),
      ...name === "device" ? [] : [only(narrowed(name, row.name), name, row.name)], not(without(name, row.name), name, row.name)] },
    { head: "errors", number: true, cell: (row) => row.error_count.toLocaleString() },
    { ...bad, number: true },
    { head: "workers", number: true, cell: (row) => row.workers.toLocaleString() },
    { head: "last", number: true, kind: "moment", cell: (row) => ago(row.last_seen) },
  ], values);
}

// A test without the folders of its file: names of tests differ at their end.
function short(name) {
  return name.replace(/^[^:[\s]*\//, "");
}

// How many failed, of all that were not skipped; nothing without a summary of the run.
function failed(outcomes) {
  if (!outcomes) return "";
  const bad = outcomes.failed + outcomes.errors, all = bad + outcomes.passed;
  if (!all) return "skipped";
  const percent = outcomes.failure_rate * 100;
  return `${bad.toLocaleString()} of ${all.toLocaleString()} (${percent > 0 && percent < 1 ? "<1" : percent.toFixed(0)} %)`;
}
