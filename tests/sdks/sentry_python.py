"""Reports with the real sentry-sdk: `sentry_python.py URL [TRANSPORT]`. TRANSPORT is an algorithm of compression, or none."""

import logging
import sys

import sentry_sdk


def main(url: str, transport: str = "gzip") -> None:
    level = {"transport_compression_level": 0} if transport == "none" else {}
    experiments = {"transport_compression_algo": "gzip" if transport == "none" else transport, **level}
    scheme, _, host = url.partition("://")
    sentry_sdk.init(
        dsn=f"{scheme}://{KEY}@{host}/1", server_name="gpu-node-3", release="trainer@1f3a9c2d4e", environment="ci",
        traces_sample_rate=1.0, _experiments=experiments,
    )  # fmt: skip
    sentry_sdk.set_tags({"test": "tests/test_load.py::test_big", "run_id": "4711", "job": "nightly"})
    sentry_sdk.add_breadcrumb(message="a step before", category="step")
    with sentry_sdk.start_transaction(name="load"):
        try:
            open_device(7)
        except OSError as error:
            sentry_sdk.capture_exception(error)
    try:
        train()
    except RuntimeError:
        sentry_sdk.capture_exception()
    sentry_sdk.capture_message("the disk is nearly full", level="warning")
    logging.getLogger("trainer").error("lost %s of %d shards", "three", 8)
    sentry_sdk.flush(10)


def open_device(number: int) -> None:
    raise OSError(f"no device {number}")


def train() -> None:
    try:
        {}["step"]
    except KeyError as error:
        raise RuntimeError("CUDA error: device-side assert triggered") from error


KEY = "key"
if __name__ == "__main__":
    if len(sys.argv) > 3:
        KEY = sys.argv[3]
    main(*sys.argv[1:3])
