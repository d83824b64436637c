// The texts of patterns by their ids: a filter has the id, its chip says the text.

import { NoAnswer, Refusal, ask, query } from "./api.js";

const LONGEST_ID = 64;
const AGAIN_MS = 60_000;
const texts = new Map(), asked = new Map(); // by the span and id, when it was asked

export function remember(id, text) {
  if (text) texts.set(id, text);
}

// The text of a pattern; null if it is not known (yet). Then the service is asked, and `known()` is called if it
// answers with the text. It is asked again for the same span after a minute at the earliest: an error may have come in since then.
export function textOf(id, state, known) {
  if (texts.has(id)) return texts.get(id);
  const place = String(query({ ...state, filters: {} }, { facet: "pattern", contains: id, values: 1 }));
  if (id.length <= LONGEST_ID && !(performance.now() - asked.get(place) < AGAIN_MS)) {
    asked.set(place, performance.now());
    look(id, place, known);
  }
  return null;
}

async function look(id, place, known) {
  try {
    const { pattern: [found] } = await ask(`/api/errors/facets?${place}`);
    if (found?.value !== id) return; // an id of the past, or no such error in this span
    remember(id, found.text);
    known();
  } catch (failure) {
    if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
    asked.delete(place);
  }
}
