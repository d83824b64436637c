// How Grafana writes numbers: its units, and the decimals that it chooses where a panel has none.

const SHORT = ["", " K", " Mil", " Bil", " Tri"];
const SI = ["", "k", "M", "G", "T"];
const BINARY = [" B", " KiB", " MiB", " GiB", " TiB"];
const AGO = [[45, "a few seconds"], [90, "a minute"], [2700, "60 minutes"], [5400, "an hour"], [79200, "3600 hours"],
  [129600, "a day"], [Infinity, "86400 days"]];

function decimalsOf(value) {
  if (value % 1 === 0) return 0;
  return Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))); // three digits
}

function fixed(value, decimals) {
  return value.toFixed(Math.min(decimals ?? decimalsOf(value), 6));
}

function scaled(value, factor, suffixes, decimals) {
  let place = 0;
  while (Math.abs(value) >= factor && place < suffixes.length - 1) {
    value /= factor;
    place += 1;
  }
  return fixed(value, decimals) + suffixes[place];
}

function seconds(value, decimals) {
  if (value === 0) return "0 s";
  for (const [least, times, suffix] of [[3600, 1 / 3600, " hours"], [60, 1 / 60, " mins"], [1, 1, " s"],
    [1e-3, 1e3, " ms"], [0, 1e6, " µs"]]) {
    if (Math.abs(value) >= least) return fixed(value * times, decimals) + suffix;
  }
}

function ago(milliseconds, end) {
  const passed = end - milliseconds / 1000;
  const [, words] = AGO.find(([below]) => passed < below);
  return `${words.replace(/^\d+/, (unit) => Math.round(passed / unit))} ago`;
}

const UNITS = {
  none: (value, decimals) => fixed(value, decimals),
  string: (value) => String(value),
  locale: (value, decimals) => value.toLocaleString("en-US", { maximumFractionDigits: decimals ?? 3 }),
  short: (value, decimals) => scaled(value, 1000, SHORT, decimals),
  percentunit: (value, decimals) => `${fixed(100 * value, decimals)}%`,
  celsius: (value, decimals) => `${fixed(value, decimals)} °C`,
  watt: (value, decimals) => scaled(value, 1000, SI.map((one) => ` ${one}W`), decimals),
  hertz: (value, decimals) => scaled(value, 1000, SI.map((one) => ` ${one}Hz`), decimals),
  bytes: (value, decimals) => scaled(value, 1024, BINARY, decimals),
  reqps: (value, decimals) => scaled(value, 1000, ["", "K", "M"].map((one) => `${one} req/s`), decimals),
  ops: (value, decimals) => scaled(value, 1000, ["", "K", "M"].map((one) => `${one} ops/s`), decimals),
  s: seconds,
  dateTimeFromNow: (value, _, end) => ago(value, end),
};

// The text and the colour of a value: of a mapping, else by unit and thresholds.
function shown(value, field, end) {
  const missing = value === undefined || value === null || Number.isNaN(value);
  for (const one of field.mappings ?? []) {
    const result = one.type === "value" ? one.options[String(value)] : missing && one.options.result;
    if (result) return { text: result.text, colour: result.color };
  }
  if (missing) return { text: field.noValue ?? "-", colour: "transparent" };
  if (typeof value === "string") return { text: value, colour: "text" };
  const steps = field.thresholds?.steps ?? [];
  const step = steps.findLast((one) => one.value === null || value >= one.value);
  if (!UNITS[field.unit ?? "short"]) throw new Error(`unknown unit ${field.unit}`);
  return { text: UNITS[field.unit ?? "short"](value, field.decimals, end), colour: step?.color ?? "text" };
}
