// The view of a test: how often it failed, what failed first and what followed, and in which runs and on which devices it failed.

import { ask, query } from "./api.js";
import { counted } from "./counted.js";
import { ago, element } from "./dom.js";
import { inWords } from "./span.js";
import { many } from "./spell.js";
import { viewAddress } from "./state.js";
import { errorRows, errorsOf, facts, gone, rankings, section, sequence } from "./view_parts.js";

export async function draw(body, id, tools) {
  const { state, filter, wanted } = tools;
  const span = { ...state, filters: {} }, of = { test: [id] };
  const ranked = async (text) => (await ask(`/api/rankings?by=test&limit=1&${text}`)).values[0] ?? null;
  const found = await ranked(query({ ...span, filters: of }));
  if (!wanted()) return;
  if (!found) {
    const look = (ever) => { ever.set("test", id); return ranked(ever); };
    return gone(body, `the test ${id.slice(0, 200)}`, { ...tools, leadTo: (other) => viewAddress(other, "test", id) }, look);
  }
  const { outcomes: ended } = found;
  const errors = errorRows({ ...tools, span }, of), began = element("div"), elsewhere = element("div", { class: "beside" });
  body.replaceChildren(
    element("h2", { id: "view-title" }, element("span", { class: "kind" }, "Test"), " ", found.name),
    facts([
      ["errors", `${errorsOf(found.error_count, found.critical_errors)} ${inWords(counted(state), true)} on ${many(found.workers, "worker")}`],
      ["outcomes", ended && `${(ended.failed + ended.errors).toLocaleString()} failed · ${ended.passed.toLocaleString()} passed${ended.skipped ? ` · ${ended.skipped.toLocaleString()} skipped` : ""}`],
      ["first error", ago(found.first_seen)], ["last error", ago(found.last_seen)],
    ]),
    element("p", {}, element("a", { href: filter("test", id) }, "Filter the page by this test")),
    began, elsewhere, section("All errors", errors.place));
  const [answer, tables] = await Promise.all([ask(`/api/patterns?${query({ ...span, filters: of }, { limit: 1000 })}`).catch(() => null),
    rankings(["run", "device", "branch"], of, { ...tools, span, view: (kind, name) => (kind === "branch" ? filter(kind, name) : tools.view(kind, name)) }).catch(() => []), errors.ready]);
  if (!wanted()) return;
  if (answer) began.replaceChildren(section("How it fails, in the order in which that began", sequence(answer.patterns, found.first_seen, tools)));
  elsewhere.replaceChildren(...tables);
}
