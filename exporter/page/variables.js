// What stood at the variable places of a pattern's template, in messages of the pattern. Pure functions.

export const PLACE = "<*>";
const WORDS = 2, MOST_PLACES = 20, LONGEST = 200;

// For each place of `template`, in order: `before`, the words before it, and `values`, pairs of a value and how often it was
// there, most frequent first. `fitting` is how many messages have the form of the template.
export function variables(template, messages) {
  const literals = template.split(PLACE).map(plain);
  const places = literals.slice(0, -1).slice(0, MOST_PLACES).map((text) => ({ before: words(text), counts: new Map() }));
  let fitting = 0;
  for (const message of messages) {
    const found = between(literals, plain(message));
    if (!found) continue;
    fitting += 1;
    places.forEach(({ counts }, i) => counts.set(found[i].slice(0, LONGEST), (counts.get(found[i].slice(0, LONGEST)) ?? 0) + 1));
  }
  return { fitting, places: places.map(({ before, counts }) => ({ before, values: [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)) })) };
}

// The texts between the literals of a template; null if the message has another form. Each literal is looked for once, from left
// to right, so a long message costs no more than reading it.
function between(literals, message) {
  if (!message.startsWith(literals[0])) return null;
  const found = [];
  let at = literals[0].length;
  for (const [i, literal] of literals.entries()) {
    if (i === 0) continue;
    const last = i === literals.length - 1;
    const next = last ? message.length - literal.length : literal ? message.indexOf(literal, at) : at;
    if (next < at || (last && !message.endsWith(literal))) return null;
    found.push(message.slice(at, next).trim());
    at = next + literal.length;
  }
  return found;
}

const plain = (text) => text.replace(/\s+/g, " ");
const words = (text) => text.trim().split(" ").slice(-WORDS).join(" ");
