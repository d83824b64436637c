// The view of a run: what failed first, what followed, how its tests ended, and where else they failed.

import { ask, query } from "./api.js";
import { ago, element } from "./dom.js";
import { web } from "./origin.js";
import { many } from "./spell.js";
import { errorRow, errorRows, errorsOf, facts, link, rankings, section, sequence, table } from "./view_parts.js";

const TESTS = 100, MOST_PATTERNS = 1000, FIRST_MS = 1000;
const OUTCOMES = { error: "▲ error", failed: "▲ failed", skipped: "○ skipped", passed: "● passed" };

export async function draw(body, id, tools) {
  const { filter, view, wanted } = tools;
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const found = await ask(`${path}?limit=${TESTS}`).catch((failure) => { if (failure.status === 404) return null; throw failure; });
  if (!wanted()) return;
  if (!found) return void body.replaceChildren(element("p", {}, `There is no run ${id.slice(0, 200)}. The link may be old: errors are deleted after some time.`));
  const of = { run: [found.id] }, summed = found.summary;
  const began = element("div"), devices = element("div", { class: "beside" });
  const named = ["job", "suite", "branch", "commit", "user"].map((name) => [name, found[name] && element("a", { href: filter(name, found[name]) }, found[name])]);
  const span = found.first_seen && { from: found.first_seen, to: after(found.last_seen) };
  const errors = span && errorRows({ ...tools, span }, of);
  body.replaceChildren(
    element("h2", { id: "view-title" }, element("span", { class: "kind" }, "Run"), " ", found.id),
    facts([
      ["errors", `${errorsOf(found.error_count, found.critical_errors)} on ${many(found.workers, "worker")}`],
      ["tests", summed && outcomes(summed.outcomes)],
      ["first error", found.first_seen && ago(found.first_seen)], ["last error", found.last_seen && ago(found.last_seen)],
      ["started", summed?.started_at && ago(summed.started_at)], ["finished", summed?.finished_at && ago(summed.finished_at)],
      ...named, ["address", ...web(found.url)],
    ]),
    element("p", {}, element("a", { href: filter("run", found.id) }, "Filter the page by this run")),
    began,
    section("Its tests", tests(found, path, view)),
    devices, section("All errors", errors ? errors.place : element("p", { class: "quiet" }, "none")));
  if (span) await Promise.all([drawBeginning(began, found, of, span, tools), drawDevices(devices, of, span, tools), errors.ready]);
}

// Just after a time: a span ends before its end.
function after(iso) {
  return new Date(Date.parse(iso) + 1).toISOString();
}

function outcomes({ passed, failed, errors, skipped }) {
  return [[failed + errors, "failed"], [passed, "passed"], [skipped, "skipped"]].filter(([count]) => count).map(([count, word]) => `${count.toLocaleString()} ${word}`).join(" · ") || "none";
}

async function drawBeginning(place, { first_seen: first }, of, span, tools) {
  const begin = { from: first, to: new Date(Date.parse(first) + FIRST_MS).toISOString(), filters: of };
  const [list, answer] = await Promise.all([ask(`/api/errors/list?${query(begin, { limit: MOST_PATTERNS })}`),
    ask(`/api/patterns?${query({ ...span, filters: of }, { limit: MOST_PATTERNS })}`)]).catch(() => [null, null]); // shown without it
  if (!tools.wanted() || !list) return;
  const error = list.errors.at(-1);
  place.replaceChildren(
    error ? section("What failed first", element("ol", { class: "rows" }, errorRow(error, tools))) : "",
    section("What followed", sequence(answer.patterns, first, tools)));
}

async function drawDevices(place, of, span, tools) {
  const found = await rankings(["device"], of, { ...tools, span }).catch(() => []);
  if (tools.wanted()) place.replaceChildren(...found);
}

// The tests with errors first. Each leads to its own view, which has the other runs in which it failed.
function tests({ tests: first, next_after: next, summary }, path, view) {
  const row = ({ test, worker, outcome, error_count: errors }) => [link(view("test", test), test), element("span", { class: `outcome ${outcome}` }, OUTCOMES[outcome] ?? outcome),
    link(view("worker", worker), worker), errors];
  const counts = summary?.outcomes, total = counts ? counts.passed + counts.failed + counts.errors + counts.skipped : first.length;
  const rest = async () => {
    const all = [...first];
    for (let at = next, page = 0; at !== null && page < 10; page++) {
      const more = await ask(`${path}?limit=1000&after=${at}`);
      all.push(...more.tests);
      at = more.next_after;
    }
    return all.map(row);
  };
  return table(["test", "outcome", "worker", "errors"], first.map(row), { first: 15, total: next === null ? first.length : Math.max(total, first.length + 1), rest });
}
