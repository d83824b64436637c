"""Converts the output of grafanalib 0.7.1 to the JSON that Grafana 11 to 13 read. Each correction is a function."""

import json
from typing import Any, Final

import attr
from grafanalib import core
from grafanalib._gen import DashboardEncoder

Json = dict[str, Any]
SCHEMA_VERSION: Final = 39  # of Grafana 11.0; newer versions migrate it. grafanalib writes 12, of Grafana 3.
# Fields that Grafana no longer reads.
OLD_DASHBOARD: Final = ("__inputs", "gnetId", "hideControls", "id", "rows", "sharedCrosshair", "style")
OLD_PANEL: Final = ("cacheTimeout", "editable", "error", "height", "hideTimeOverride", "minSpan", "span")
OLD_TARGET: Final = ("intervalFactor", "metric", "query", "step", "target")
OLD_VARIABLE: Final = ("auto", "auto_count", "auto_min", "tagValuesQuery", "tagsQuery", "useTags")
ROW: Final = ("collapsed", "gridPos", "id", "panels", "repeat", "title", "type")


@attr.s
class Dashboard(core.Dashboard):
    """A dashboard of grafanalib whose JSON is corrected, also when grafanalib's commands write it."""

    def to_json_data(self) -> Json:
        return modern(json.loads(json.dumps(super().to_json_data(), cls=DashboardEncoder)))


def modern(dashboard: Json) -> Json:
    """Returns the dashboard with all corrections."""
    corrected = without(dashboard, *OLD_DASHBOARD) | {"schemaVersion": SCHEMA_VERSION}
    corrected["panels"] = [panel(one) for one in dashboard["panels"]]
    corrected["templating"] = {"list": [variable(one) for one in dashboard["templating"]["list"]]}
    corrected["timepicker"] = without(dashboard["timepicker"], "time_options")
    given: Json = without_nulls(corrected)
    return given


def panel(given: Json) -> Json:
    if given["type"] == "row":
        return row(given)
    corrected = without(given, *OLD_PANEL)
    corrected["targets"] = [target(one) for one in given["targets"]]
    return gauge(status_history(bar_chart(legend(points(overrides(corrected))))))


def row(given: Json) -> Json:
    """Removes the drawing options of a row, and corrects the panels in it."""
    kept = {key: value for key, value in given.items() if key in ROW}
    return kept | {"panels": [panel(one) for one in given["panels"]]}


def overrides(given: Json) -> Json:
    """Adds an empty list of overrides if it is missing, because Grafana requires the list."""
    return given | {"fieldConfig": {"overrides": []} | given["fieldConfig"]}


def points(given: Json) -> Json:
    """Removes grafanalib's default of 100 points, so that Grafana fits the points to the width."""
    return without(given, "maxDataPoints") if given.get("maxDataPoints") == 100 else given


def target(given: Json) -> Json:
    """Adds `range`: without it, Grafana runs a query both as instant query and over the range."""
    if "expr" not in given:
        return given
    return without(given, *OLD_TARGET) | {"range": not given["instant"]}


def variable(given: Json) -> Json:
    """Removes tags and sets the initial value: "All" for variables that have it, the default data source for data
    sources. Grafana offers the default data source only if it is written explicitly."""
    corrected = without(given, *OLD_VARIABLE, "current")
    if given["type"] == "datasource":
        return corrected | {"current": {"text": "default", "value": "default"}}
    if given["includeAll"]:
        return corrected | {"current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return corrected | {"current": {"text": "", "value": ""}}  # Grafana takes the first value


def legend(given: Json) -> Json:
    """Adds `showLegend` and `calcs`, which are no longer optional."""
    options = given.get("options", {})
    if "legend" not in options or given["type"] == "heatmap":
        return given
    return given | {"options": options | {"legend": {"showLegend": True, "calcs": []} | options["legend"]}}


def bar_chart(given: Json) -> Json:
    """Removes the fixed colour where a palette is used, and adds two missing options."""
    if given["type"] != "barchart":
        return given
    config = given["fieldConfig"]
    colour = config["defaults"]["color"]
    if colour["mode"] != "fixed":
        config = config | {"defaults": config["defaults"] | {"color": {"mode": colour["mode"]}}}
    options = {"fullHighlight": False, "xTickLabelMaxLength": 0} | given["options"]
    return given | {"fieldConfig": config, "options": options}


def gauge(given: Json) -> Json:
    """Moves the options of a gauge from the field configuration to `options`."""
    if given["type"] != "gauge":
        return given
    config, old = given["fieldConfig"], ("showThresholdLabels", "showThresholdMarkers")
    defaults = without(config["defaults"], "calcs", "limit", "override", "title", "values")
    reduce = {"calcs": config["defaults"]["calcs"], "fields": "", "values": False}
    options = {
        "reduceOptions": reduce, "orientation": "auto", "sizing": "auto", "minVizWidth": 75, "minVizHeight": 75,
        **{key: config[key] for key in old},
    }  # fmt: skip
    return given | {"fieldConfig": without(config, *old) | {"defaults": defaults}, "options": options}


def status_history(given: Json) -> Json:
    """Converts a state timeline to Grafana's status history. grafanalib's own status map is a plugin that Grafana 12 no
    longer loads."""
    if given["type"] != "status-history":
        return given
    options = without(given["options"], "alignValue", "mergeValues") | {"colWidth": 0.95}
    return given | {"options": options | {"tooltip": {"sort": "none"} | options["tooltip"]}}


def without(given: Json, *keys: str) -> Json:
    return {key: value for key, value in given.items() if key not in keys}


def without_nulls(given: Any) -> Any:
    """Removes nulls: Grafana's schemas allow null only as the value of the first threshold."""
    if isinstance(given, list):
        return [without_nulls(one) for one in given]
    if not isinstance(given, dict):
        return given
    threshold = set(given) == {"color", "value"}
    return {key: without_nulls(value) for key, value in given.items() if value is not None or threshold}
