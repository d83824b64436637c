"""Which hardware fails, which is hot or full, and whether heat and errors go together."""

from grafanalib import core

from grafana import frame, panels
from grafana.layout import shelf
from grafana.links import cell, label, page, worker_dashboard
from grafana.panels import MEMORY, Column, background, colour, now, override, query
from grafana.queries import a_minute, at_end, grown, select, top, worst

BY_TYPE = "distributed_testing_hardware_errors_total"
ERRORS = "distributed_testing_errors_total"
CONDITION = "distributed_testing_worker_hardware_condition"
TEMPERATURE = "distributed_testing_worker_gpu_temperature_celsius"
GPU_MEMORY = "distributed_testing_worker_gpu_memory_utilization_ratio"
OF_HARDWARE = 'category=~"(?i:hardware_.*)"'
HOT = (("green", None), ("orange", 80), ("red", 85))  # 85 °C: the rule GPUOverheating
ANY = (("green", None), ("orange", 1))
OF_WORKER = [page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))]
OF_TYPE = [page("Errors with this hardware", hardware=label("hardware_type"))]
ON = [{"type": "value", "options": {"0": {"text": "no", "color": "green", "index": 0},
                                    "1": {"text": "yes", "color": "red", "index": 1}}}]  # fmt: skip
UNTIL = "By the latest report of each worker, for an hour after it."


def condition(name: str) -> str:
    return select(CONDITION, f'condition="{name}"')


def count(title: str, name: str) -> core.Panel:
    return panels.stat(
        title,
        f"Workers that report {name.replace('_', ' ')}. {UNTIL}",
        query(f"sum(max by (worker) ({condition(name)}))", "workers"),
        limits=ANY,
        links=[page("Hardware errors", group="hardware")],
    )


def history(title: str, name: str) -> core.Panel:
    chosen = f'condition="{name}"'
    return panels.status_history(
        title,
        f"Which workers report {name.replace('_', ' ')}, and since when: the 20 that did it longest. {UNTIL}",
        query(worst(20, f"max by (worker) ({condition(name)})", "worker", at_end(CONDITION, chosen)), "{{worker}}"),
        mappings=ON,
        limits=(("green", None), ("red", 1)),
        links=OF_WORKER,
    )


hottest = panels.stat(
    "Hottest GPU",
    f"Orange from 80 °C, red from 85 °C, as the rule GPUOverheating judges. {UNTIL}",
    query(f"max({select(TEMPERATURE)})", "temperature"),
    unit="celsius",
    limits=HOT,
    links=[page("Hardware errors", group="hardware")],
)
fullest = panels.stat(
    "Fullest GPU memory",
    f"Red from 95 %, as the rule GPUMemoryPressure judges. {UNTIL}",
    query(f"max({select(GPU_MEMORY)})", "memory"),
    unit="percentunit",
    limits=MEMORY,
    links=[page("Resource errors", group="resource")],
)
in_range = panels.stat(
    "Hardware errors",
    "Errors of the categories HARDWARE_… in the time range.",
    query(grown(ERRORS, OF_HARDWARE), instant=True),
    links=[page("Hardware errors", group="hardware")],
)
by_type = panels.bars(
    "Errors by hardware type",
    "Errors of all categories in the time range, by the hardware that the worker's report names.",
    top(10, grown(BY_TYPE, by="hardware_type")),
    "hardware_type",
    links=[page("Errors with this hardware", hardware=cell("hardware_type"))],
)
over_time = panels.timeseries(
    "Errors by hardware type over time",
    "Errors a minute, by the hardware that the worker's report names.",
    query(a_minute(BY_TYPE, by="hardware_type"), "{{hardware_type}}"),
    axis="errors a minute",
    stack=True,
    links=OF_TYPE,
)
temperature = panels.timeseries(
    "GPU temperature",
    f"The 12 hottest devices of the time range. {UNTIL} Dashed: 80 and 85 °C.",
    query(
        worst(12, f"max by (worker, gpu) ({select(TEMPERATURE)})", "worker, gpu",
              at_end(TEMPERATURE, over="max_over_time", by="worker, gpu")), "{{worker}} GPU {{gpu}}"),
    unit="celsius",
    limits=HOT,
    bottom=None,
    links=OF_WORKER,
)  # fmt: skip
gpu_memory = panels.timeseries(
    "GPU memory",
    f"The 12 fullest devices of the time range. {UNTIL} Dashed: 80 and 95 %.",
    query(
        worst(12, f"max by (worker, gpu) ({select(GPU_MEMORY)})", "worker, gpu",
              at_end(GPU_MEMORY, over="max_over_time", by="worker, gpu")), "{{worker}} GPU {{gpu}}"),
    unit="percentunit",
    limits=MEMORY,
    high=1,
    links=OF_WORKER,
)  # fmt: skip
together = panels.timeseries(
    "Errors and temperature",
    "Errors of the categories HARDWARE_… a minute (left) beside the hottest GPU and the average of all (right): do "
    "they rise together.",
    query(a_minute(ERRORS, OF_HARDWARE), "hardware errors"),
    query(f"max({select(TEMPERATURE)})", "hottest GPU"),
    query(f"avg({select(TEMPERATURE)})", "GPUs on average"),
    axis="errors a minute",
    bottom=None,
    overrides=[
        override("hardware errors", color=colour("red"), custom_drawStyle="bars", custom_fillOpacity=50, min=0),
        *(override(name, unit="celsius", color=colour(shade), custom_axisPlacement="right", custom_axisLabel="")
          for name, shade in (("hottest GPU", "orange"), ("GPUs on average", "yellow"))),
    ],
    links=[page("Hardware errors", group="hardware")],
)  # fmt: skip
hot_workers = panels.table(
    "Hot workers",
    "Each worker's hottest GPU beside its errors in the time range: hot and with many errors is a machine to look at. "
    "Hot and without is none.",
    now(f"max by (worker) ({select(TEMPERATURE)})"),
    now(f"max by (worker) ({select(GPU_MEMORY)})"),
    now(f"max by (worker) ({condition('throttling')} and on (worker) {select(TEMPERATURE)})"),
    now(f"{grown(ERRORS, OF_HARDWARE, by='worker')} and on (worker) max by (worker) ({select(TEMPERATURE)})"),
    columns=[
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker")),
                                              worker_dashboard(cell("Worker"))]}),
        Column("Value #A", "Hottest GPU", {"unit": "celsius", "decimals": 0, **background(HOT)}),
        Column("Value #B", "GPU memory", {"unit": "percentunit", "decimals": 0, **background(MEMORY)}),
        Column("Value #C", "Throttling", {"mappings": ON, **background((("green", None), ("red", 1)))}),
        Column("Value #D", "Hardware errors", {"decimals": 0}),
    ],
    sort="Hottest GPU",
)  # fmt: skip

dashboard = frame.dashboard(
    "hardware",
    "Hardware",
    "Which hardware fails, which is hot or full, and whether heat and errors go together.",
    shelf(4, (4, in_range), (4, hottest), (4, fullest), (4, count("Overheating", "overheating")),
          (4, count("Throttling", "throttling")), (4, count("Memory pressure", "memory_pressure"))),
    shelf(9, (8, by_type), (16, over_time)),
    shelf(9, (12, temperature), (12, gpu_memory)),
    shelf(10, (12, together), (12, hot_workers)),
    shelf(9, (12, history("Thermal throttling", "throttling")),
          (12, history("Workers under memory pressure", "memory_pressure"))),
)  # fmt: skip
