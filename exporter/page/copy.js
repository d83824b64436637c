// A button that copies the text that `text()` returns. On plain http, browsers have no clipboard API; execCommand still works.

import { say } from "./announce.js";
import { element } from "./dom.js";

export function copy(label, text) {
  const button = element("button", { type: "button", class: "copy" }, label);
  button.onclick = async () => {
    button.textContent = await copied(text(), button) ? "Copied" : "Copying is not allowed";
    say(button.textContent);
  };
  return button;
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "hidden", readonly: "", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    button.after(area); // next to the button: in an open dialog, the rest of the page cannot be selected
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    button.focus();
    return done;
  }
}
