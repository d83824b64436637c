// Building the page. Text goes in as text, always: what a report says is never markup.

const ICONS = { critical: "▲", warning: "◆", info: "●" };

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export function severity(word) {
  return element("span", { class: `severity ${word}` }, `${ICONS[word]} ${word}`);
}

export function time(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  const text = today ? date.toLocaleTimeString([], { hourCycle: "h23" }) : date.toLocaleDateString();
  return element("time", { datetime: iso, title: `${date.toLocaleString()} (${iso})` }, text);
}
