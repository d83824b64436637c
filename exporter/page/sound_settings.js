// The controls of the sound: volume, mutes with an end, a test of each sound, and what is wrong with it.

import { CLOCK, formatted } from "./dates.js";
import { element } from "./dom.js";
import { ends } from "./mutes.js";
import { SOUNDS } from "./sound.js";
import { preference, prefer } from "./state.js";

const by = (id) => document.getElementById(id);

// Returns `draw()`, which shows the present state. `say(text)` announces, `notice(text)` shows a text for a while.
export function bind(alarm, say, notice) {
  const { sound } = alarm;
  const boxes = build(alarm, say);
  by("volume").value = sound.volume * 100;
  by("volume").oninput = () => { sound.volume = by("volume").value / 100; };
  addEventListener("storage", () => {
    const volume = preference("volume", sound.volume);
    if (volume >= 0 && volume <= 1) sound.hearVolume(volume);
    by("volume").value = sound.volume * 100;
    by("every-error").checked = preference("every-error", false);
  });
  const noticed = new Set();
  const draw = () => {
    const hadFocus = document.activeElement === by("sound-on");
    by("sound-on").hidden = !sound.blocked || alarm.lead.another;
    if (hadFocus && by("sound-on").hidden) by("mute").focus({ preventScroll: true });
    for (const box of boxes) box.checked = alarm.isMuted(box.dataset.mute);
    by("mute").setAttribute("aria-pressed", String(alarm.isMuted("all")));
    by("mute").querySelector("span").textContent = alarm.isMuted("all") ? inWords(alarm.until) : "Mute";
    by("sound-tab").textContent = alarm.lead.another ? "Another tab of this browser makes the sounds." : "";
    const faults = [...sound.problems].map(([name, what]) => `error-${name}.mp3 ${what}; ${instead(name, sound.problems)} sounds instead.`);
    by("sound-problems").replaceChildren(...faults.map((text) => element("li", {}, text)));
    for (const text of faults.filter((one) => !noticed.has(one))) { noticed.add(text); notice(text); }
  };
  draw();
  return draw;
}

function instead(name, problems) {
  return name === "notification" || problems.has("notification") ? "a plain tone" : "error-notification.mp3";
}

// "Muted until 15:02"; with the day if it is not today.
export function inWords(until) {
  if (until === null) return "Muted";
  const date = new Date(until), today = date.toDateString() === new Date().toDateString();
  return `Muted until ${formatted(date, { ...today || { weekday: "short" }, ...CLOCK })}`;
}

// Adds the controls to those of index.html. Returns the boxes that mute one severity each, or all.
function build(alarm, say) {
  const { sound } = alarm;
  const mute = (name, until) => {
    alarm.mute(name, until);
    alarm.changed();
    if (name === "all") say(until === 0 ? "Sound is not muted" : `Sound is ${inWords(until).replace("M", "m")}`);
  };
  const choice = element("select", { id: "mute-for", "aria-label": "Mute with an end", title: "Mute with an end" });
  const offer = () => choice.replaceChildren(element("option", { value: "" }, "Mute…"),
    ...ends(Date.now()).map(([value, words]) => element("option", { value }, words)));
  choice.onfocus = choice.onpointerdown = () => { if (!choice.value) offer(); };
  choice.onchange = () => {
    const end = ends(Date.now()).find(([value]) => value === choice.value);
    choice.value = "";
    if (end) mute("all", end[2]);
  };
  offer();
  by("mute-all").closest("fieldset").append(choice);
  by("mute").onclick = () => mute("all", alarm.isMuted("all") ? 0 : null);
  by("mute-all").closest("fieldset").append(element("label", {}, element("input", { type: "checkbox", "data-mute": "recovered" }), " recovery"));
  const every = element("input", { type: "checkbox", id: "every-error" });
  every.checked = preference("every-error", false);
  every.onchange = () => prefer("every-error", every.checked);
  by("mute-all").closest("fieldset").after(
    element("label", {}, every, " Sound for every error, also for repeats"),
    element("fieldset", { class: "tests" }, element("legend", {}, "Test"), ...Object.entries(SOUNDS).map(([name, words]) => test(sound, name, words))),
    element("p", { id: "sound-tab", class: "quiet" }), element("ul", { id: "sound-problems", class: "plain problem" }));
  by("sound-on").onclick = () => sound.turnOn();
  by("test-sound").onclick = () => by("test-critical").click();
  const boxes = [...document.querySelectorAll("[data-mute]")];
  for (const box of boxes) box.onchange = () => mute(box.dataset.mute, box.checked ? null : 0);
  return boxes;
}

function test(sound, name, words) {
  const button = element("button", { type: "button", id: `test-${name}` }, words);
  button.onclick = async () => { await sound.turnOn(); sound.play(name); };
  return button;
}
