// Sends COUNT messages with the real @sentry/node: flood_node.cjs URL COUNT
const Sentry = require("@sentry/node");

const [url, count] = process.argv.slice(2);
Sentry.init({ dsn: url.replace("://", "://key@") + "/1", serverName: "flood" });
(async () => {
  for (let number = 0; number < count; number++) {
    Sentry.captureMessage(`message ${number}`, "error");
    await new Promise((go) => setTimeout(go, 2));
  }
  await Sentry.flush(20_000);
  process.emit("beforeExit"); // sends its client report
  await Sentry.close(20_000);
  process.exit(0);
})();
