"""Functions that report errors to the service: those of the distribution `error-visualization-client`.

`report_error` has the signature of the guide and needs an event loop; `report_error_sync` needs none.
"""

from error_visualization.api import error_report, report_error, report_error_sync
from error_visualization.authorization import authorization

__all__ = ["authorization", "error_report", "report_error", "report_error_sync"]
