"""Reports with the real OpenTelemetry SDK: `otel_python.py URL [COMPRESSION]`, as log records and as exceptions of spans."""

import logging
import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def main(url: str, compression: str = "none") -> None:
    how = Compression(compression)
    resource = Resource.create(
        {"host.name": "gpu-node-5", "service.name": "trainer", "cicd.pipeline.run.id": "4713",
         "cicd.pipeline.name": "nightly", "vcs.ref.head.revision": "1f3a9c2d4e", "vcs.ref.head.name": "main"}
    )  # fmt: skip
    logs = LoggerProvider(resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs", compression=how)))
    log = logging.getLogger("trainer")
    log.addHandler(LoggingHandler(logger_provider=logs))
    log.setLevel("DEBUG")
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", compression=how)))
    try:
        open_device(7)
    except OSError:
        log.exception("the device cannot be opened")
    log.error("the disk is nearly full", extra={"error_category": "RESOURCE_WARNING"})
    log.info("a step")
    try:
        with traces.get_tracer("trainer").start_as_current_span("training"):
            train()
    except RuntimeError:
        pass
    logs.shutdown()
    traces.shutdown()


def open_device(number: int) -> None:
    raise OSError(f"no device {number}")


def train() -> None:
    try:
        {}["step"]
    except KeyError as error:
        raise RuntimeError("CUDA error: device-side assert triggered") from error


if __name__ == "__main__":
    main(*sys.argv[1:3])
