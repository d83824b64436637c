"""Each correction of what grafanalib writes: that it needs one, and that it gets it. And the small parts beside it."""

import json
from typing import Any

import pytest
from dashboards import Json
from grafanalib import core
from grafanalib._gen import DashboardEncoder

from grafana import frame, layout, panels
from grafana.modern import Dashboard

pytestmark = pytest.mark.dashboard
PLACE = core.GridPos(h=8, w=12, x=0, y=0)


def written(*shown: Any, corrected: bool = True, **more: Any) -> Json:
    """A dashboard of the panels as grafanalib's own command writes it, or as it would without us."""
    kind = Dashboard if corrected else core.Dashboard
    return json.loads(json.dumps(kind(title="t", panels=[*shown], **more).to_json_data(), cls=DashboardEncoder))


def both(panel: Any) -> tuple[Json, Json]:
    """The panel as grafanalib writes it, and corrected."""
    return written(panel, corrected=False)["panels"][0], written(panel)["panels"][0]


def timeseries() -> core.TimeSeries:
    return core.TimeSeries(title="t", targets=[core.Target(expr="up", refId="A")], gridPos=PLACE)


def test_the_schema_version_is_one_that_grafana_11_migrates_from() -> None:
    assert written(corrected=False)["schemaVersion"] == 12
    assert written()["schemaVersion"] == 39


def test_a_dashboard_has_only_what_is_still_read() -> None:
    old = {"__inputs", "gnetId", "hideControls", "id", "rows", "sharedCrosshair", "style"}
    assert old <= set(written(corrected=False))
    assert not old & set(written())
    assert "time_options" in written(corrected=False)["timepicker"]
    assert "time_options" not in written()["timepicker"]


def test_nulls_are_left_out_but_the_base_of_a_threshold() -> None:
    panel = timeseries()
    panel.thresholds = panels.steps([("green", None), ("red", 1)])
    old, new = both(panel)
    assert old["fieldConfig"]["defaults"]["custom"]["axisSoftMin"] is None
    assert "axisSoftMin" not in new["fieldConfig"]["defaults"]["custom"]
    assert new["fieldConfig"]["defaults"]["thresholds"]["steps"][0] == {"color": "green", "value": None}


def test_the_base_of_a_threshold_is_null_and_no_word() -> None:
    assert core.Threshold("green", 0, 0.0).to_json_data()["value"] == "null"
    assert panels.steps([("green", None)]) == [{"color": "green", "value": None}]


def test_a_panel_has_only_what_is_still_read() -> None:
    old, new = both(timeseries())
    gone = {"cacheTimeout", "editable", "error", "height", "hideTimeOverride", "minSpan", "span"}
    assert gone <= set(old)
    assert not gone & set(new)


def test_no_overrides_are_an_empty_list() -> None:
    old, new = both(core.Text(title="t", gridPos=PLACE))
    assert "overrides" not in old["fieldConfig"]
    assert new["fieldConfig"]["overrides"] == []


def test_a_graph_has_as_many_points_as_it_has_room_for() -> None:
    old, new = both(timeseries())
    assert old["maxDataPoints"] == 100
    assert "maxDataPoints" not in new
    asked = core.TimeSeries(title="t", gridPos=PLACE, maxDataPoints=60)
    assert both(asked)[1]["maxDataPoints"] == 60


@pytest.mark.parametrize("instant", [True, False])
def test_a_query_is_instant_or_over_the_range(instant: bool) -> None:
    panel = timeseries()
    panel.targets = [core.Target(expr="up", refId="A", instant=instant)]
    old, new = (one["targets"][0] for one in both(panel))
    gone = {"intervalFactor", "metric", "query", "step", "target"}
    assert gone <= set(old)
    assert not gone & set(new)
    assert "range" not in old
    assert (new["instant"], new["range"]) == (instant, not instant)


def test_a_legend_says_that_it_is_shown() -> None:
    old, new = both(timeseries())
    assert "showLegend" not in old["options"]["legend"]
    assert new["options"]["legend"]["showLegend"] is True


def test_a_row_has_nothing_to_draw_and_what_it_holds_is_corrected() -> None:
    old, new = both(core.RowPanel(title="r", panels=[timeseries()], collapsed=True, gridPos=PLACE))
    assert "targets" in old
    assert "fieldConfig" in old
    assert set(new) == {"collapsed", "gridPos", "panels", "title", "type"}
    assert "span" in old["panels"][0]
    assert "span" not in new["panels"][0]


def test_a_gauge_has_its_options_where_they_belong() -> None:
    old, new = both(core.GaugePanel(title="t", gridPos=PLACE, calc="lastNotNull"))
    assert "showThresholdMarkers" in old["fieldConfig"]
    assert old["fieldConfig"]["defaults"]["calcs"] == ["lastNotNull"]
    assert set(new["fieldConfig"]) == {"defaults", "overrides"}
    assert not {"calcs", "limit", "override", "title", "values"} & set(new["fieldConfig"]["defaults"])
    assert new["options"]["reduceOptions"]["calcs"] == ["lastNotNull"]
    assert new["options"]["showThresholdMarkers"] is True


def test_a_bar_chart_of_a_palette_names_no_colour() -> None:
    old, new = both(core.BarChart(title="t", gridPos=PLACE))
    assert old["fieldConfig"]["defaults"]["color"] == {"mode": "palette-classic", "fixedColor": "none"}
    assert new["fieldConfig"]["defaults"]["color"] == {"mode": "palette-classic"}
    assert {"fullHighlight", "xTickLabelMaxLength"} <= set(new["options"])
    fixed = both(core.BarChart(title="t", gridPos=PLACE, colorMode="fixed", fixedColor="red"))[1]
    assert fixed["fieldConfig"]["defaults"]["color"] == {"mode": "fixed", "fixedColor": "red"}


def test_a_status_map_is_grafanas_own() -> None:
    assert core.Statusmap(dataSource=None).to_json_data()["type"] == "flant-statusmap-panel"
    new = written(panels.status_history("t", "d", panels.query("up")))["panels"][0]
    assert new["type"] == "status-history"
    assert not {"alignValue", "mergeValues"} & set(new["options"])
    assert "sort" in new["options"]["tooltip"]
    assert "colWidth" in new["options"]


def test_a_table_and_a_heatmap_have_todays_shapes() -> None:
    assert "cards" in core.Heatmap(title="t").to_json_data()
    heatmap = written(panels.heatmap("t", "d", panels.query("up"), unit="s"))["panels"][0]
    assert heatmap["options"]["yAxis"]["unit"] == "s"
    assert "fontSize" in core.Table(title="t").to_json_data()
    columns = [panels.Column("job", "Job"), panels.Column("Value", "Up", {"custom_width": 90})]
    table = written(panels.table("t", "d", panels.now("up"), columns=columns, sort="-Up"))["panels"][0]
    assert "fontSize" not in table
    assert table["options"]["sortBy"] == [{"displayName": "Up", "desc": False}]
    said = {"id": "noValue", "value": "-"}
    assert [one["properties"] for one in table["fieldConfig"]["overrides"]] == [
        [said], [said, {"id": "custom.width", "value": 90}],
    ]  # fmt: skip


def test_variables_begin_as_all_and_data_sources_as_the_default_one() -> None:
    """Grafana offers the default one only where the variable says so, and takes the first by its name else."""
    templating = core.Templating([frame.source(), frame.chosen("job"), frame.page(), frame.infinity()])
    old, new = (written(corrected=one, templating=templating)["templating"]["list"] for one in (False, True))
    assert all("tags" in one["current"] and "useTags" in one and "auto" in one for one in old)
    assert not any({"useTags", "auto", "tagsQuery"} & set(one) for one in new)
    source, job, page, infinity = new
    assert source["current"] == infinity["current"] == {"text": "default", "value": "default"}
    assert source["hide"] == infinity["hide"] == 0  # what is hidden cannot be changed
    assert job["current"]["value"] == ["$__all"]
    assert page["current"] == {"text": "", "value": ""}


# --- Layout. ---


def test_a_shelf_that_is_not_full_is_refused() -> None:
    with pytest.raises(ValueError, match="20 columns wide, not 24"):
        layout.shelf(4, (20, timeseries()))


def test_what_is_in_a_closed_row_takes_no_room_below_it() -> None:
    shelf = layout.shelf(4, (24, timeseries()))
    first, row, last = layout.stacked([shelf, layout.Row("r", (shelf,)), shelf])
    assert [one.gridPos.y for one in (first, row, last)] == [0, 4, 5]
    assert row.collapsed
    assert row.panels[0].gridPos.y == 5
