// Which run, test and devices an error belongs to: what filters compare, and the facts in the details.

import { element } from "./dom.js";

const RUN = ["job", "suite", "branch", "commit", "user"];
const MAX_LABEL = 256, MAX_TEST = 1024; // characters that the service compares

// The values of an error by the name of the filter.
export function origin({ run, test, device_names: devices }) {
  const of = Object.fromEntries(["id", ...RUN].map((name) => [name, label(run?.[name], MAX_LABEL)]));
  const { id, ...others } = of;
  return { run: id, ...others, test: label(test?.id, MAX_TEST), device: devices ?? [] };
}

// Returns pairs of a name and elements. `link(name, value, text)` returns a link to the page with that filter.
export function facts(error, link) {
  const { run, test, device, ...others } = origin(error);
  const found = [];
  if (run || error.run?.url) found.push(["run", ...run ? [link("run", run, run)] : [], ...web(error.run.url)]);
  for (const name of RUN) if (others[name]) found.push([name, link(name, others[name], others[name])]);
  if (test) found.push(["test", link("test", test, test), element("span", { class: "quiet" }, outcome(error.test))]);
  if (device.length) found.push([device.length > 1 ? "devices" : "device", ...device.flatMap((name, i) => [i ? ", " : "", link("device", name, name)])]);
  return found;
}

function outcome({ file, attempt, outcome: word, duration }) {
  const parts = [word, attempt > 1 && `attempt ${attempt}`, duration != null && `${Number(duration.toFixed(3))} s`, file];
  const text = parts.filter(Boolean).join(", ");
  return text && ` ${text}`;
}

// A link to the address of a run. Only http and https: the address is what a worker sent.
export function web(url) {
  if (!/^https?:\/\//i.test(url ?? "") || !URL.canParse(url)) return url ? [` ${url}`] : [];
  return [" ", element("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, "open the run ↗")];
}

// As the service makes it of a text: what cannot be printed becomes a blank, and characters are counted, not UTF-16 units.
function label(text, most) {
  return text ? [...text.replace(/\p{C}|\p{Zl}|\p{Zp}|\p{Zs}/gu, " ").trim()].slice(0, most).join("") || null : null;
}
