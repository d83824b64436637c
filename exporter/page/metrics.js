// The measurements of a report. Known ones are numbers; the others are as they were sent, and may be anything.

const MOST = 200;

// The measurements of `metrics` as {part, name, text}, at most 200, and whether there are more.
export function measurements(metrics) {
  const rows = [];
  for (const [part, values] of Object.entries(isStruct(metrics) ? metrics : {})) {
    for (const [name, value] of Object.entries(isStruct(values) ? values : {})) {
      if (rows.length === MOST) return { rows, cut: true };
      rows.push({ part, name, text: shown(value) });
    }
  }
  return { rows, cut: false };
}

// The devices of a report that are structs, at most 200.
export function structs(list) {
  return Array.isArray(list) ? list.filter(isStruct).slice(0, MOST) : [];
}

// A value as text or number. A struct is shown as JSON: its own `toString` may be no function.
export function shown(value) {
  if (typeof value === "number") return Number(value.toFixed(2));
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value ?? "";
}

function isStruct(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
