"""Which errors come again, which are new, and what to look at first."""

from grafana import frame, infinity, panels
from grafana.layout import shelf
from grafana.links import cell, label, page
from grafana.panels import Column, moment, now, query
from grafana.queries import grown, otherwise, select, top, total

ERRORS = "distributed_testing_errors_total"
ALL = grown("distributed_testing_errors_by_severity_total")  # as many errors, in three series
RECURRING = "distributed_testing_recurring_patterns"
FIRST_SEEN = "distributed_testing_type_first_seen_timestamp_seconds"
KIND = "category, type"

order = panels.text(
    "In which order",
    "How to go through this dashboard.",
    "1. **New** types that came after a change: look at the change.\n"
    "2. Types **above their average**: something began.\n"
    "3. Types on **many workers**: the code or the network. On one: the machine.\n"
    "4. **Recurring** patterns: known trouble; repair or silence it.\n\n"
    "A click on a row or a bar shows the single errors.",
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
    "Error types that were seen for the first time ever within the time range.",
    moment(otherwise(f"sum(min by (type) ({select(FIRST_SEEN)}) > bool time() - $__range_s)")),
    limits=(("green", None), ("purple", 1)),
    links=[page("Errors")],
)
known_types = panels.stat(
    "Known error types",
    "Error types that were ever seen.",
    moment(otherwise(f"count(min by (type) ({select(FIRST_SEEN)}))")),
    links=[page("Errors")],
)
concentration = panels.stat(
    "Share of the most frequent",
    "Of all errors in the time range, how many are of the most frequent category and type. When it is much, one repair "
    "helps much.",
    moment(otherwise(f"max({grown(ERRORS, by=KIND)}) / ({ALL} > 0)")),
    unit="percentunit",
    links=[page("Errors")],
)
first = panels.table(
    "What to look at first",
    "Every category and type of the time range: how many errors, on how many workers, and what they are of all. "
    "`other`, the workers beyond the limits, counts as one. Click on a type for its errors.",
    now(f"{grown(ERRORS, by=KIND)} > 0"),
    now(f"count by ({KIND}) ({grown(ERRORS, by=f'{KIND}, worker')} > 0)"),
    now(f"({grown(ERRORS, by=KIND)} > 0) / scalar({ALL})"),
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
    "The 20 types that appeared last.",
    now(f"1000 * topk(20, min by (type) ({select(FIRST_SEEN)}))"),
    columns=[
        Column("type", "Type", {"links": [page("Errors of this type", type=cell("Type"))]}),
        Column("Value", "First seen", {"unit": "dateTimeFromNow"}),
    ],
    sort="First seen",
)
rising = panels.bars(
    "Types above their average",
    "By how many errors a minute a type is now above its average of the time range: what has just begun. Now: the last "
    "twelfth of the time range, at least five minutes; one stray error is no beginning.",
    top(10, f"60000 * sum by (type) (increase({select(ERRORS)}[$__interval])) / $__interval_ms - "
            f"60 * sum by (type) (increase({select(ERRORS)}[$__range])) / $__range_s", above=0.05),
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
    "On how many workers a type was seen in the time range: many mean the code or the network, one means the machine. "
    "`other`, the workers beyond the limits, counts as one.",
    top(10, f"count by (type) ({grown(ERRORS, by='type, worker')} > 0)"),
    "type",
    links=[page("Errors of this type", type=cell("type"))],
)
by_category = panels.timeseries(
    "Recurring patterns by category",
    "Patterns that recurred in the hour before each moment.",
    query(f"sum by (category) ({select(RECURRING)}) > 0", "{{category}}"),
    stack=True,
    links=[page("Recurring errors", group="recurring", category=label("category"))],
)
patterns = infinity.top_patterns(
    "Top patterns",
    "The fifty most frequent patterns of 24 hours, from the service itself. A click on one shows its errors. Needs the "
    "Infinity data source.",
)
single = infinity.single_errors(
    "Newest recurring errors",
    "The last hundred errors of recurring patterns, of 24 hours, from the service itself. Needs the Infinity data "
    "source.",
    group="recurring",
)

dashboard = frame.dashboard(
    "patterns",
    "Patterns and triage",
    "Which errors come again, which are new, and what to look at first.",
    shelf(7, (8, order), (4, recurring_now), (4, new_types), (4, known_types), (4, concentration)),
    shelf(12, (14, first), (10, newest)),
    shelf(9, (8, rising), (8, spread), (8, by_category)),
    infinity.row("Patterns and single errors", patterns, single),
    variables=[frame.infinity()],
)
