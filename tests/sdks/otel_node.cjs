// Reports with the real OpenTelemetry SDK for JavaScript: otel_node.cjs URL proto|http none|gzip
const [url, encoding, compression] = process.argv.slice(2);
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${encoding}`);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${encoding}`);

const resource = resourceFromAttributes({ "host.name": "node-8", "cicd.pipeline.run.id": "4714" });
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs`, compression }) })],
});
const traces = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces`, compression }))],
});
const log = logs.getLogger("web");
log.emit({ severityNumber: SeverityNumber.ERROR, severityText: "ERROR", body: "the disk is nearly full" });
log.emit({ severityNumber: SeverityNumber.INFO, body: "a step" });
const error = new RangeError("training failed", { cause: new TypeError("no device 8") });
log.emit({
  severityNumber: SeverityNumber.ERROR,
  body: "an exception",
  attributes: { "exception.type": error.name, "exception.message": error.message, "exception.stacktrace": error.stack },
});
const span = traces.getTracer("web").startSpan("training");
span.recordException(new TypeError("no device 7"));
span.end();
Promise.all([logs.shutdown(), traces.shutdown()]).then(() => process.exit(0));
