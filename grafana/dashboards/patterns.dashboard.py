"""Dashboard for triage: which errors recur, which are new, and what to look at first."""

from grafana import frame, infinity, panels
from grafana.layout import shelf
from grafana.links import cell, label, page
from grafana.panels import Column, moment, now, query
from grafana.queries import A_MINUTE, counted, grown, otherwise, select, top, total

ALL = grown("distributed_testing_errors_by_severity_total")  # the same number of errors, but in three series
RECURRING = "distributed_testing_recurring_patterns"
FIRST_SEEN = "distributed_testing_type_first_seen_timestamp_seconds"
KIND = "category, type"
KINDS = counted(KIND, level="category_type")


def on_workers(by: str) -> str:
    """Returns the number of workers with errors, by labels. Only this reads the counts of each worker and type."""
    return f"count by ({by}) ({counted(f'{by}, worker', level='category_worker_type')})"


order = panels.text(
    "How to use this dashboard",
    "The order in which to read the panels.",
    "1. **New** types after a change: check the change.\n"
    "2. Types **above their average**: a fault has just begun.\n"
    "3. Types on **many workers**: check the code or the network. On one worker: check the machine.\n"
    "4. **Recurring** patterns: known faults; fix or silence them.\n\n"
    "Click a row or a bar to see its errors.",
)
recurring_now = panels.stat(
    "Recurring patterns",
    "Patterns that recurred in the last hour.",
    moment(otherwise(total(select(RECURRING)))),
    limits=(("green", None), ("orange", 1)),
    links=[page("Recurring errors", group="recurring")],
)
new_types = panels.stat(
    "New error types",
    "Error types whose first error ever is in the time range.",
    moment(otherwise(f"sum(min by (type) ({select(FIRST_SEEN)}) > bool time() - $__range_s)")),
    limits=(("green", None), ("purple", 1)),
    links=[page("Errors")],
)
known_types = panels.stat(
    "Known error types",
    "All error types seen so far.",
    moment(otherwise(f"count(min by (type) ({select(FIRST_SEEN)}))")),
    links=[page("Errors")],
)
concentration = panels.stat(
    "Share of the most frequent",
    "Share of the most frequent category and type in all errors of the time range. If it is high, one fix removes many "
    "errors.",
    moment(otherwise(f"max({KINDS}) / ({ALL} > 0)")),
    unit="percentunit",
    links=[page("Errors")],
)
first = panels.table(
    "What to look at first",
    "Each category and type in the time range: number of errors, number of workers, and share of all errors. `other`, "
    "all workers beyond the limits, counts as one worker. Click a type to see its errors.",
    now(f"{KINDS} > 0"),
    now(on_workers(KIND)),
    now(f"{KINDS} / scalar({ALL})"),
    columns=[
        Column("type", "Type", {"links": [page("Errors of this type", type=cell("Type"), category=cell("Category"))]}),
        Column("category", "Category", {"links": [page("Errors of this category", category=cell("Category"))]}),
        Column("Value #A", "Errors", {"decimals": 0, "custom_width": 90}),
        Column("Value #B", "Workers", {"decimals": 0, "custom_width": 90}),
        Column("Value #C", "Share", {
            "unit": "percentunit", "decimals": 0, "min": 0, "max": 1,
            "custom_cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
        }),
    ],
    sort="Errors",
)  # fmt: skip
newest = panels.table(
    "Newest error types",
    "The 20 error types that were first seen most recently.",
    now(f"1000 * topk(20, min by (type) ({select(FIRST_SEEN)}))"),
    columns=[
        Column("type", "Type", {"links": [page("Errors of this type", type=cell("Type"))]}),
        Column("Value", "First seen", {"unit": "dateTimeFromNow"}),
    ],
    sort="First seen",
)
rising = panels.bars(
    "Types above their average",
    "Errors per minute now, minus the average of the time range, by type: shows what has just begun. Now is the last "
    "twelfth of the time range, at least five minutes. Differences up to 0.05 are left out.",
    top(10, f"{A_MINUTE} * {counted('type', over='$__interval')} - 60 / $__range_s * {counted('type')}", above=0.05),
    "type",
    unit="short",
    decimals=1,
    part=12,
    least="5m",
    shade="orange",
    links=[page("Errors of this type", type=cell("type"))],
)  # fmt: skip
spread = panels.bars(
    "Types on most workers",
    "Number of workers on which a type occurred in the time range. Many workers suggest the code or the network, one "
    "worker suggests its machine. `other`, all workers beyond the limits, counts as one worker.",
    top(10, on_workers("type")),
    "type",
    links=[page("Errors of this type", type=cell("type"))],
)
by_category = panels.timeseries(
    "Recurring patterns by category",
    "Patterns that recurred in the hour before each point.",
    query(f"sum by (category) ({select(RECURRING)}) > 0", "{{category}}"),
    stack=True,
    links=[page("Recurring errors", group="recurring", category=label("category"))],
    whole=True,
)
patterns = infinity.top_patterns(
    "Top patterns",
    "The 50 most frequent patterns of the last 24 hours, from the service's API. Click a pattern to see its errors. "
    "Needs the Infinity data source.",
)
single = infinity.single_errors(
    "Newest recurring errors",
    "The newest 100 errors of recurring patterns in the last 24 hours, from the service's API. Needs the Infinity data "
    "source.",
    group="recurring",
)

dashboard = frame.dashboard(
    "patterns",
    "Patterns and triage",
    "Which errors recur, which are new, and what to look at first.",
    shelf(7, (8, order), (4, recurring_now), (4, new_types), (4, known_types), (4, concentration)),
    shelf(12, (14, first), (10, newest)),
    shelf(9, (8, rising), (8, spread), (8, by_category)),
    infinity.row("Patterns and single errors", patterns, single),
    variables=[frame.infinity()],
)
