"""Sends COUNT messages with the real sentry-sdk, or the real OpenTelemetry SDK: `flood_python.py URL sentry|otel COUNT`."""

import sys
import time


def by_sentry(url: str, count: int) -> None:
    import sentry_sdk

    sentry_sdk.init(dsn=url.replace("://", "://key@") + "/1", server_name="flood")
    for number in range(count):
        sentry_sdk.capture_message(f"message {number}", level="error")
        time.sleep(0.002)
    sentry_sdk.flush(20)


def by_otel(url: str, count: int) -> None:
    import logging

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    logs = LoggerProvider(Resource.create({"host.name": "flood"}))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs"), max_export_batch_size=10))
    log = logging.getLogger("flood")
    log.addHandler(LoggingHandler(logger_provider=logs))
    for number in range(count):
        log.error("message %d", number)
    logs.shutdown()


if __name__ == "__main__":
    {"sentry": by_sentry, "otel": by_otel}[sys.argv[2]](sys.argv[1], int(sys.argv[3]))
