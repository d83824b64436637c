// The state of a pattern or worker in a view, with the buttons that change it and the small form that they need: the reader's
// name, which is asked once, when a mute or drain ends, and the text of a note. Another reader's change is shown at once. What the reader does is always
// announced; what others do, only while the page announces by itself.

import * as announce from "./announce.js";
import { ask } from "./api.js";
import * as clock from "./clock.js";
import { element } from "./dom.js";
import { known } from "./session.js";
import { preference, prefer } from "./state.js";
import { parts } from "./state_line.js";
import { watch } from "./state_news.js";
import { chosenEnd, ends, isNews } from "./states.js";

const LONGEST_NAME = 100, LONGEST_TEXT = 2000, MOST_ERRORS = 1_000_000_000, ERRORS = 100;
const LAST = "9999-12-31T23:59"; // browsers take years of six digits, which Date.parse does not

// The name under which this reader changes states. Somebody who is logged in has that name until they choose another one.
function reader() {
  const { name = "", user = "" } = preference("reader", {}), logged = document.documentElement.dataset.user ?? "";
  return user === logged ? name || logged : logged;
}

// - `of` is "pattern:ID" or "worker:NAME", `path` its path in the API, `state` its state, which may be null, and `since` when the
//   request for it began (performance.now());
// - `words(state)` returns its sentence as parts of states.js, `note(state)` what is added to it;
// - `actions` are `{name, label, ends, writes}`: `ends` is null, "errors" or "open", the end that can be chosen besides times; `writes`:
//   it is a note, which leaves the state as it is;
// - `fits(state, name)` returns the names of the actions to offer to a reader;
// - `stateIn(answer)` returns the state in the answer to an action; `look()` a promise of the present one;
// - `onChange()` is called after each change that the audit trail has, too.
export function stateBox({ of, path, state, since, words, note, actions, fits, stateIn, look, onChange }) {
  const line = element("p", { class: "said", tabindex: "-1" }), more = element("p", { class: "quiet" });
  const problem = element("p", { role: "alert", class: "problem", id: "state-problem" });
  const form = stateForm(), buttons = new Map(actions.map((action) => [action.name, element("button", { type: "button" }, action.label)]));
  const who = element("bdi"), change = element("button", { type: "button", class: "plainly" }, "change"), as = element("span", { class: "quiet" }, "as ", who, " ", change);
  const acts = element("p", { class: "acts" }, ...buttons.values(), as);
  const box = element("div", { class: "statement", role: "group", "aria-label": `State of the ${of.slice(0, of.indexOf(":"))}` },
    line, more, element("div", { "data-needs": "admin" }, acts, form.place, problem));
  let busy = null, opener = null, next = null;
  const written = new Set(), meanwhile = []; // numbers of notes: the reader's own ones, and those that came while one was being sent

  // What had the focus and is hidden now gives it to the sentence, which says what happened.
  const draw = () => {
    const focused = document.activeElement, name = reader(), offered = fits(state, name);
    const text = words(state), noted = note(state);
    line.replaceChildren(...parts(text));
    line.hidden = !text.length;
    more.textContent = noted;
    more.hidden = !noted;
    for (const [action, button] of buttons) button.hidden = !offered.includes(action);
    who.textContent = name;
    as.hidden = !name;
    if ((focused === line || acts.contains(focused)) && focused.closest("[hidden]")) home();
  };
  const home = () => {
    const first = [...buttons.values()].find((button) => !button.hidden);
    if (line.hidden) first?.focus({ preventScroll: true }); else line.focus({ preventScroll: true });
  };
  const sentence = () => (line.hidden ? "No longer drained" : line.textContent);
  const take = (now, says = true) => {
    if (JSON.stringify(now) === JSON.stringify(state)) return;
    const news = isNews(state, now);
    state = now;
    draw();
    if (!news) return;
    if (says) announce.remark(sentence());
    onChange();
  };
  const hasOthers = (numbers) => numbers.some((number) => number !== null && !written.has(number));
  const onNote = (number) => {
    if (busy?.writes) meanwhile.push(number); // the answer will say which one is the reader's own
    else if (hasOthers([number])) announce.remark("A note was added");
    onChange();
  };
  const shut = () => {
    const inside = form.place.contains(document.activeElement);
    form.shut();
    opener?.removeAttribute("aria-expanded");
    if (inside) { if (opener && !opener.closest("[hidden]")) opener.focus({ preventScroll: true }); else home(); }
    opener = null;
  };
  // Whether the reader has gone elsewhere while a request was on its way: the focus then stays there.
  const isAway = () => ![null, document.body].includes(document.activeElement) && !box.contains(document.activeElement);
  const open = (action, button, { field = null, quietly = false } = {}) => {
    if (waits()) return;
    problem.textContent = "";
    opener?.removeAttribute("aria-expanded");
    opener = button;
    button.setAttribute("aria-expanded", "true");
    form.open(action, { name: reader(), asksName: !reader() || action === null || field === "by", quietly });
  };
  // Until a change is answered there is no other one, and no form: the answer closes the form of its own action. The socket may show
  // the change before that, so a button that is pressed meanwhile is pressed again afterwards.
  const waits = () => {
    if (busy) problem.textContent = "The last change is still being saved.";
    return busy;
  };
  const send = async (action, given) => {
    busy = action;
    problem.textContent = "";
    form.refuse(null);
    try {
      const body = JSON.stringify({ by: reader(), ...given });
      const asked = ask(`${path}/${action.name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      await answered(asked.then(stateIn), (now) => take(now, false));
      if (action.writes) {
        written.add((await asked).notes[0].number); // the service answers with the notes as of this one
        onChange();
      }
      problem.textContent = "";
      if (!action.writes || form.clear(given.text)) shut();
      announce.say(action.writes ? `Note added${hasOthers(meanwhile) ? ", and another one by somebody else" : ""}` : sentence());
    } catch (failure) {
      busy = null;
      if (hasOthers(meanwhile)) announce.remark("A note was added");
      if (failure.field === "by" && form.place.hidden) open(action, buttons.get(action.name), { field: "by", quietly: isAway() });
      problem.textContent = failure.status ? failure.message : "The service does not answer. Try again.";
      form.refuse(failure.field, isAway());
      next = null;
    }
    busy = null;
    meanwhile.length = 0;
    const later = next;
    next = null;
    if (later && !buttons.get(later.name).hidden) press(later, isAway());
  };
  const press = (action, quietly) => {
    if (waits()) return void (next = action);
    if (!action.ends && !action.writes && reader()) { shut(); send(action, {}); } else open(action, buttons.get(action.name), { quietly });
  };
  for (const action of actions) buttons.get(action.name).onclick = () => press(action, false);
  change.onclick = () => open(null, change);
  form.place.onsubmit = (event) => {
    event.preventDefault();
    if (waits()) return;
    const { action, name, given } = form.read(), blank = form.blank(); // `required` takes a space for a text
    problem.textContent = blank ? `The ${blank === "by" ? "name" : "note"} is blank.` : "";
    form.refuse(blank);
    if (blank) return;
    if (name !== null) prefer("reader", { name, user: document.documentElement.dataset.user ?? "" });
    draw();
    if (action) send(action, given); else shut();
  };
  form.cancel.onclick = () => { problem.textContent = ""; shut(); };
  form.place.onkeydown = (event) => { // closes the form, not the view
    if (event.key !== "Escape" || event.isComposing) return; // an input method has its own use of the key
    event.preventDefault();
    event.stopPropagation();
    form.cancel.click();
  };
  draw();
  if (document.documentElement.dataset.user === undefined) known.then(draw); // the name of who is logged in
  const answered = watch(of, box, { since, take, look, noted: onNote });
  return box;
}

// The form: which fields it shows depends on the action. Its buttons stay in place while a request is on its way, so that the
// focus does.
function stateForm() {
  const field = (text, input) => element("div", { class: "field" }, element("label", { for: input.id }, text), input);
  const name = element("input", { id: "state-by", maxlength: LONGEST_NAME, autocomplete: "name" });
  const end = element("select", { id: "state-end" }), errors = element("input", { id: "state-errors", type: "number", min: 1, max: MOST_ERRORS, step: 1, value: ERRORS });
  const until = element("input", { id: "state-until", type: "datetime-local", max: LAST });
  const text = element("textarea", { id: "state-text", maxlength: LONGEST_TEXT });
  const rows = { by: field("Your name", name), end: field("End", end), errors: field("Errors", errors), until: field("Until", until), text: field("Note", text) };
  const submit = element("button", {}), cancel = element("button", { type: "button" }, "Cancel");
  const place = element("form", { class: "state-form", hidden: "" }, ...Object.values(rows), element("span", { class: "choose" }, submit, cancel));
  const inputs = { by: name, errors, until, text };
  let action = null, openedAt = 0;
  const show = () => {
    const chosen = rows.end.hidden ? "" : end.value;
    for (const one of ["errors", "until"]) {
      rows[one].hidden = chosen !== one;
      inputs[one].required = chosen === one;
    }
  };
  end.onchange = show;
  return {
    place, cancel,
    open(wanted, { name: known, asksName, quietly }) {
      [action, openedAt] = [wanted, clock.now()];
      const other = { errors: ["errors", "after a number of errors"], open: ["open", "without an end"] }[wanted?.ends];
      const times = wanted?.ends ? [...ends(openedAt), ["until", "at another time"]] : [];
      end.replaceChildren(...[...wanted?.ends === "open" ? [other] : [], ...times, ...wanted?.ends === "errors" ? [other] : []]
        .map(([value, text]) => element("option", { value }, text)));
      rows.end.hidden = !wanted?.ends;
      rows.text.hidden = !wanted?.writes; // what was typed stays there until it is sent
      text.required = !rows.text.hidden;
      rows.by.hidden = !asksName;
      name.required = asksName;
      name.value = known;
      submit.textContent = wanted ? wanted.label : "Save";
      place.setAttribute("aria-label", wanted ? wanted.label : "Your name");
      place.hidden = false;
      show();
      this.refuse(null);
      if (quietly) return;
      (asksName ? name : wanted.writes ? text : end).focus({ preventScroll: true });
      if (asksName) name.select();
      place.scrollIntoView({ block: "nearest" });
    },
    shut() { place.hidden = true; },
    // Clears the note that was sent. Returns false if the reader went on typing: then the form stays open with what is there.
    clear(sent) {
      if (text.value !== sent && !place.hidden) return false;
      if (text.value === sent) text.value = "";
      return true;
    },
    blank: () => ["by", "text"].find((one) => inputs[one].required && !inputs[one].value.trim()) ?? null,
    read() {
      const given = action?.writes ? { text: text.value } : chosenEnd(rows.end.hidden ? "open" : end.value, { opened: openedAt, now: clock.now(), until: until.value, errors: errors.value });
      return { action, name: rows.by.hidden ? null : name.value.trim(), given };
    },
    // Marks the field that was refused, and moves to it unless that is to happen `quietly`; `null` marks none.
    refuse(which, quietly = false) {
      for (const [one, input] of Object.entries(inputs)) {
        const here = one === which && !rows[one].hidden;
        if (here) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
        if (here) input.setAttribute("aria-describedby", "state-problem"); else input.removeAttribute("aria-describedby");
        if (here && !place.hidden && !quietly) input.focus({ preventScroll: true });
      }
    },
  };
}
