"""A plugin of pytest that reports what fails to a service, with and without pytest-xdist.

    pytest ──► this file: is a service named? ──no──► nothing more is imported
                    │yes
        ┌───────────┴──────────────┐
    this process reports       a worker of xdist
    session.py ─► failure.py   handover.py adds to the report of a failure what only the worker knows;
        │         crash.py     xdist transfers it
        ▼
    Reporter (spool on disk)

The process that the user started reports for all workers of pytest-xdist, so what a worker found is not lost when the
worker dies. The service is named by `--error-dashboard URL`, the setting `error_dashboard` of pytest, or the variable
ERROR_VISUALIZATION_URL, in this order.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

HANDED_OVER = "error_visualization"  # key in the input of an xdist worker, and name of an attribute of reports


def pytest_addoption(parser: Any) -> None:
    text = "URL of the Error Visualization service that failures are reported to"
    parser.getgroup("error-visualization").addoption("--error-dashboard", metavar="URL", help=text)
    parser.addini("error_dashboard", text)


def pytest_configure(config: Any) -> None:
    """Registers the parts that report, if a service is named. Only those that hand over in a worker of xdist."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        if given.get(HANDED_OVER):
            from error_visualization.pytest_plugin.handover import Handover

            config.pluginmanager.register(Handover(), "error-visualization-handover")
        return
    url = service_of(config)
    if url and not config.option.help and not config.option.collectonly:
        from error_visualization.pytest_plugin.session import register

        register(config, url)


def service_of(config: Any) -> str:
    """Returns the URL of the service; "" for none."""
    named = config.getoption("error_dashboard") or config.getini("error_dashboard")
    return (named or os.environ.get("ERROR_VISUALIZATION_URL") or "").strip()
