// Shows whether the API answers and whether live updates arrive. The two states are kept apart, so that one does not hide the
// other. When either is lost, the page shows the time of the last good answer.

import * as announce from "./announce.js";
import { now } from "./clock.js";
import { element, time } from "./dom.js";

const known = { api: true, socket: "connecting", paused: false };
let good = null, shown = "";

// Notes the time of a sign of life of the service, by its clock.
export function heard() {
  good = now();
}

export function api(answers) {
  known.api = answers;
  if (answers) heard();
  draw();
}

// `word` is "live" or "lost".
export function socket(word) {
  known.socket = word;
  if (word === "live") heard();
  draw();
}

export function paused(yes) {
  known.paused = yes;
  draw();
}

function draw() {
  const host = document.getElementById("connection");
  const word = known.api && known.socket !== "lost" ? known.socket : "lost";
  const next = `${word} ${known.paused}`;
  if (next === shown) return;
  const before = host.dataset.state;
  shown = next;
  host.dataset.state = word;
  host.toggleAttribute("data-paused", known.paused);
  host.replaceChildren(...text(word));
  if (before === word) return;
  if (word === "lost") announce.interrupt("Connection lost");
  else if (before === "lost") announce.remark("The connection is back");
}

function text(word) {
  const asOf = () => time(new Date(good ?? now()).toISOString());
  if (word === "lost") return good ? [element("span", { class: "wide" }, "connection "), "lost, as of ", asOf()] : ["no connection"];
  return known.paused ? ["paused", element("span", { class: "wide" }, ", as of ", asOf())] : [word];
}
