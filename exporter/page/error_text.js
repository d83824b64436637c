// An error as a text to paste elsewhere, and as the address of a prefilled issue. Pure functions; `url` is the error's page.

const LONGEST_TITLE = 120; // characters
const LONGEST_BODY = 6000; // characters once they are percent-encoded: browsers and issue trackers refuse longer addresses

export function asText(error, url) {
  return [`${error.severity}: ${error.type} on ${error.worker_id}`, said(error), "", ...facts(error).map(([name, value]) => `${name}: ${value}`),
    ...error.traceback ? ["", error.traceback] : [], "", url].join("\n");
}

export function asMarkdown(error, url) {
  const rows = facts(error).map(([name, value]) => `- **${name}**: ${span(value)}`);
  return [`### ${error.severity}: ${span(error.type)} on ${span(error.worker_id)}`, "", block(said(error)), "", ...rows,
    ...error.traceback ? ["", block(error.traceback)] : [], "", `[The error](<${url}>)`].join("\n");
}

// A command that gets the error as JSON.
export function asCurl(id, origin, needsToken) {
  const token = needsToken ? ` -H "Authorization: Bearer $ERROR_VISUALIZATION_TOKEN"` : "";
  return `curl${token} ${quoted(`${origin}/api/errors/${id}`)}`;
}

// The address of a new issue about the error; "" without a template. `{title}`, `{body}` and `{url}` of the template become texts.
export function issueAddress(template, error, url) {
  if (!template) return "";
  const title = short(`${error.type} on ${error.worker_id}: ${said(error).split("\n")[0]}`, LONGEST_TITLE);
  const values = { title, body: fitting(asMarkdown(error, url), url), url };
  return template.replace(/\{(title|body|url)\}/g, (_, name) => encodeURIComponent(whole(values[name])));
}

function facts(error) {
  const { run, test } = error;
  return [["when", error.timestamp], ["worker", error.worker_id], ["category", error.error_category], ["why", error.reasons.join(", ")],
    ["run", run?.id], ["test", test?.id], ["devices", error.device_names?.join(", ")], ["pattern", error.pattern_id], ["error", error.id],
  ].filter(([, value]) => value);
}

const said = (error) => error.message || error.type;

// As code, with a fence that is longer than each run of backticks in the text.
function block(text) {
  const fence = fenceOf(text, 3);
  return `${fence}\n${text}\n${fence}`;
}

function span(value) {
  const text = String(value).replace(/\s+/g, " "), fence = fenceOf(text, 1);
  return fence.length > 1 ? `${fence} ${text} ${fence}` : `\`${text}\``;
}

// A run of backticks, at least `least`, that is longer than each in the text. A text may have more runs than a call may have arguments.
function fenceOf(text, least) {
  return "`".repeat((text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length + 1), least));
}

const short = (text, most) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

// The beginning of a text, so that its encoded form is not too long; what was left out is at the URL.
function fitting(text, url) {
  if (encodeURIComponent(whole(text)).length <= LONGEST_BODY) return text;
  const end = `\n…\n\n[All of it](<${url}>)`, room = LONGEST_BODY - encodeURIComponent(whole(end)).length;
  let [least, most] = [0, text.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (encodeURIComponent(whole(text.slice(0, middle))).length <= room) least = middle; else most = middle - 1;
  }
  const begin = whole(text.slice(0, least)), open = begin.match(/^`{3,}$/gm) ?? [];
  return begin + (open.length % 2 ? `\n${open.at(-1)}` : "") + end;
}

// Half of a surrogate pair cannot be encoded.
const whole = (text) => text.replace(/\p{Cs}/gu, "\ufffd");

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
