// What a reader can set: range, filters, pause, sound, theme, reset; and the keys for them.

import { element } from "./dom.js";
import { RANGES, preference, prefer } from "./state.js";

const by = (id) => document.getElementById(id);

export function drawRange(range, go) {
  by("range").replaceChildren(...Object.entries(RANGES).map(([value, label]) => {
    const link = element("a", { href: `?range=${value}`, "aria-current": Number(value) === range ? "true" : null }, label);
    link.onclick = (event) => { event.preventDefault(); go(Number(value)); };
    return link;
  }));
}

export function drawChips(filters, remove) {
  by("chips").replaceChildren(...Object.entries(filters).flatMap(([name, values]) => values.map((value) => {
    const chip = element("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${name} ${value}` }, `${name}: ${value} ×`);
    chip.onclick = () => remove(name, value);
    return chip;
  })));
}

export function bindTheme() {
  const select = by("theme");
  select.value = document.documentElement.dataset.theme;
  select.onchange = () => {
    document.documentElement.dataset.theme = select.value;
    prefer("theme", select.value);
  };
}

export function bindSound(sound) {
  by("volume").value = sound.volume * 100;
  by("volume").oninput = () => { sound.volume = by("volume").value / 100; };
  by("test-sound").onclick = async () => { await sound.turnOn(); sound.play("critical"); };
  by("sound-on").onclick = () => sound.turnOn();
  for (const box of document.querySelectorAll("[data-mute]")) {
    box.checked = sound.muted.has(box.dataset.mute);
    box.onchange = () => sound.mute(box.dataset.mute, box.checked);
  }
}

export function bindReset(done) {
  const dialog = by("reset-dialog");
  by("reset").onclick = () => dialog.showModal();
  dialog.onclose = async () => {
    if (dialog.returnValue !== "reset") return;
    dialog.returnValue = "";
    const response = await fetch("/api/reset-counts", { method: "POST" });
    by("notice").textContent = response.ok ? "Critical errors are counted from now on. Nothing was deleted." : "The counts could not be reset.";
    done();
  };
}

export function bindKeys(keys) {
  by("keys").checked = preference("keys", true);
  by("keys").onchange = () => prefer("keys", by("keys").checked);
  document.addEventListener("keydown", (event) => {
    if (!by("keys").checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}
