// Reports with the real @sentry/node: sentry_node.cjs URL [KEY]
const Sentry = require("@sentry/node");

const [url, key = "key"] = process.argv.slice(2);
Sentry.init({ dsn: url.replace("://", `://${key}@`) + "/1", serverName: "node-7", release: "web@1f3a9c2d4e", tracesSampleRate: 1 });
Sentry.setTag("run_id", "4712");

function openDevice(number) {
  throw new TypeError(`no device ${number}`);
}

function train() {
  try {
    openDevice(8);
  } catch (cause) {
    throw new RangeError("training failed", { cause });
  }
}

for (const fails of [() => openDevice(7), train]) {
  try {
    fails();
  } catch (error) {
    Sentry.captureException(error);
  }
}
Sentry.captureMessage("the disk is nearly full", "warning");
Sentry.captureMessage("x".repeat(40_000), "error"); // long enough to be compressed
Sentry.close(10_000).then((done) => process.exit(done ? 0 : 1));
