// The view of one pattern, above the list of its errors: why its errors are one pattern, and how to correct that.

import { ask, query } from "./api.js";
import { ago, element } from "./dom.js";
import { keep } from "./keep.js";
import { many } from "./spell.js";
import { liveLine } from "./state_live.js";

const CHOICES = 200, SHOWN = 60;

let asked = 0;

// Draws the pattern with the id `id` in a span (as in state.js) into `place`, or hides `place` if there is no id. The callbacks:
// - `filter(name, value)` returns the URL of the page with this filter;
// - `found(details)` is called with the answer of the API, and returns whether another pattern is shown instead;
// - `changed(text, id)` is called after a correction, with a text that says what happened and the id of the pattern to show.
export async function show(place, id, { span, filter, found, changed }) {
  const mine = ++asked, since = performance.now();
  place.hidden = !id;
  if (!id) return void place.replaceChildren();
  const path = `/api/patterns/${encodeURIComponent(id)}?${query(span)}`;
  const details = await ask(path).catch((failure) => failure);
  if (mine !== asked) return;
  if (details instanceof Error) {
    place.replaceChildren(element("p", { class: "quiet" }, details.status === 404 ? "This pattern has no error in the time range." : "The pattern could not be fetched."));
    return;
  }
  if (found(details)) return;
  place.replaceChildren(
    element("h3", { id: "pattern-title", tabindex: "-1" }, "Pattern ", element("span", { class: "template" }, details.pattern)),
    element("p", { class: "quiet" }, many(details.fingerprints, "fingerprint"), " · ", many(details.workers, "worker"),
      " · first ", ago(details.ever_first_seen ?? details.first_seen), " ",
      ...keep("pattern", `/api/patterns/${encodeURIComponent(details.pattern_id)}`, details.pinned)),
    liveLine(details, since),
    element("details", { id: "pattern-why" }, element("summary", {}, "Why is this one pattern?"), element("dl", { class: "facts" }, ...why(details, filter))),
    correct(details, changed));
}

// Returns the facts that say why the errors of a pattern are one.
export function why({ families, members, explanation, decisions, aliases, continues_as: next, fingerprints }, filter) {
  const merged = decisions.some((one) => one.kind === "merge" && !one.undone_at);
  const facts = families.flatMap((family) => [
    ...fact("family", family.reason),
    ...family.values.flatMap((values, i) => fact(family.values.length > 1 ? `place ${i + 1}` : "values", values.join(", ")))]);
  if (merged) facts.push(...fact("by hand", "Somebody merged patterns; see below."));
  if (fingerprints < 2 && !families.length) facts.push(...fact("reason", "Its errors have the same type, place and text, apart from what was masked."));
  if (explanation) {
    facts.push(...fact("type", explanation.type));
    if (explanation.frame) facts.push(...fact("place", explanation.frame));
    if (explanation.test) facts.push(...fact("test", explanation.test));
    if (explanation.root_cause) facts.push(...fact("root cause", explanation.root_cause));
    if (explanation.kept.length) facts.push(...fact("codes kept", explanation.kept.join(", ")));
  }
  if (members.length > 1) {
    facts.push(...fact("members", element("ul", { class: "plain", tabindex: "0" }, ...members.map((one) =>
      element("li", {}, `${one.template} · ${many(one.errors, "error")}`)))));
  }
  const link = (id) => element("a", { href: filter("pattern", id) }, id);
  if (aliases.length) facts.push(...fact("earlier ids", ...aliases.flatMap((id, i) => [i ? ", " : "", link(id)])));
  if (next) facts.push(...fact("goes on as", link(next)));
  return facts;
}

// Returns the forms that merge and split a pattern and undo that, closed.
export function correct(details, changed) {
  const status = element("p", { role: "alert", class: "problem" });
  const act = async (path, body, text, id) => {
    status.textContent = "";
    try {
      await ask(`/api/patterns/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      changed(text, id);
    } catch (failure) {
      status.textContent = failure.status ? failure.message : "The service does not answer. Nothing was changed.";
    }
  };
  const box = element("details", { id: "pattern-correct", "data-needs": "admin" }, element("summary", {}, "Correct the grouping"));
  box.append(merging(details, act, box), ...splitting(details, act, status), ...decided(details, act), status);
  return box;
}

// Returns the form that merges this pattern into another one. It offers the most frequent patterns, which it fetches when
// `box` is opened.
function merging({ pattern_id: id }, act, box) {
  const select = element("select", { id: "merge-into", required: "" }, element("option", { value: "" }, "choose a pattern"));
  const form = element("form", {}, element("label", {}, "Merge into ", select), " ", element("button", {}, "Merge"));
  form.onsubmit = (event) => {
    event.preventDefault();
    act(`${encodeURIComponent(id)}/merge`, { into: select.value }, "The patterns are one now.", select.value);
  };
  box.addEventListener("toggle", async () => {
    if (!box.open || select.length > 1) return;
    const { patterns } = await ask(`/api/patterns?time_range=168&limit=${CHOICES}`).catch(() => ({ patterns: [] }));
    select.append(...patterns.filter((one) => one.pattern_id !== id).map((one) =>
      element("option", { value: one.pattern_id }, `${one.pattern.slice(0, SHOWN)} (${one.occurrences.toLocaleString()})`)));
  });
  return form;
}

function splitting({ pattern_id: id, members }, act, status) {
  if (members.length < 2) return [];
  const boxes = members.map((one) => element("input", { type: "checkbox", value: one.fingerprint }));
  const form = element("form", { id: "split" }, element("fieldset", {}, element("legend", {}, "Split"),
    element("ul", { class: "plain" }, ...members.map((one, i) => element("li", {}, element("label", { class: "text" }, boxes[i], ` ${one.template} (${one.errors.toLocaleString()})`)))),
    element("button", {}, "Split off the chosen"), " ", element("button", { value: "all" }, "Split all apart")));
  form.onsubmit = (event) => {
    event.preventDefault();
    const chosen = boxes.filter((one) => one.checked).map((one) => one.value);
    const all = event.submitter?.value === "all";
    if (!all && !chosen.length) status.textContent = "Choose the texts that are patterns of their own.";
    else act(`${encodeURIComponent(id)}/split`, all ? {} : { fingerprints: chosen }, "The pattern is split.", id);
  };
  return [form];
}

function decided({ pattern_id: id, decisions }, act) {
  const made = decisions.filter((one) => !one.undone_at);
  if (!made.length) return [];
  return [element("ul", { class: "plain", id: "decisions" }, ...made.map((one) => {
    const undo = element("button", { type: "button" }, "Undo");
    undo.onclick = () => act(`decisions/${one.number}/undo`, {}, "The change is undone.", id);
    const text = one.kind === "merge" ? `${many(one.fingerprints.length, "fingerprint")} merged` : `${many(one.fingerprints.length, "fingerprint")} split off`;
    return element("li", {}, `${text} `, ago(one.decided_at), " ", undo);
  }))];
}

function fact(name, ...values) {
  return [element("dt", {}, name), element("dd", {}, ...values)];
}
