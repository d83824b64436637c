// The state of a pattern as a sentence that follows its changes, without buttons; nothing for a pattern that is new or open.

import { ask } from "./api.js";
import { element } from "./dom.js";
import { parts } from "./state_line.js";
import { watch } from "./state_news.js";
import { said, short, silence } from "./states.js";

// `since` is when the request for the pattern began (performance.now()).
export function liveLine({ pattern_id: id, state }, since) {
  const line = element("p", { class: "quiet" });
  const take = (now) => {
    line.hidden = !short(now);
    line.replaceChildren(...parts(said(now)), silence(now) && ". ", silence(now));
  };
  take(state);
  watch(`pattern:${id}`, line, { since, take, look: () => ask(`/api/patterns/${encodeURIComponent(id)}/state`).then((answer) => answer.state) });
  return line;
}
