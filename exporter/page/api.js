// Requests to the service. `Refusal` is an error answer with its reason; `NoAnswer` is no answer, or none in time. A change
// carries the token that proves that this page sends it. Whoever is not logged in (any more) is led to the login.

import { counted } from "./counted.js";

const PATIENCE_MS = 15_000;

export class Refusal extends Error {
  constructor(status, { message, field }) {
    super(message);
    Object.assign(this, { status, field });
  }
}

export class NoAnswer extends Error {}

let csrf = null;

export async function ask(path, more = {}) {
  if (more.method === "POST") return change(path, more);
  const { response, answer } = await fetched(path, more);
  return data(response, answer);
}

// The token is of the session that the browser has now, which may have begun in another tab.
async function change(path, more) {
  for (const last of [false, true]) {
    csrf ??= (await ask("/api/session")).csrf_token;
    const { response, answer } = await fetched(path, { ...more, headers: { ...more.headers, ...csrf && { "X-CSRF-Token": csrf } } });
    if (last || answer.field !== "X-CSRF-Token") return data(response, answer);
    csrf = null;
  }
}

function data(response, answer) {
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer.data;
}

async function fetched(path, more) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), ...more });
    return { response, answer: await response.json() };
  } catch (reason) {
    throw new NoAnswer(reason.message);
  }
}

// What `ask` needs for an answer that may be some seconds old: many pages then cost the service as much as one.
export const aged = (seconds) => (seconds ? { headers: { "Cache-Control": `max-age=${seconds}` } } : {});

// The span and the filters as query parameters of the API.
export function query(state, more = {}) {
  const { range, from, to, filters = {} } = counted(state);
  const text = new URLSearchParams({ ...from ? { from } : { time_range: range }, ...to && { to }, ...more });
  for (const [name, values] of Object.entries(filters)) for (const value of values) text.append(name, value);
  return text;
}
