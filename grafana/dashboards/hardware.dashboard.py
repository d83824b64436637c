"""Dashboard of the hardware: which hardware fails, is hot or full, and whether heat correlates with errors."""

from grafanalib import core

from grafana import frame, panels
from grafana.layout import shelf
from grafana.links import cell, label, page, worker_dashboard
from grafana.panels import MEMORY, Column, background, colour, moment, now, override, query, with_exemplars, words
from grafana.queries import (
    A_MINUTE,
    MACHINE,
    POINTS,
    a_minute,
    at_end,
    counted,
    grown,
    in_group,
    otherwise,
    recorded,
    select,
    top,
    worst,
)

BY_TYPE = "distributed_testing_hardware_errors_total"
CONDITION = "distributed_testing_worker_hardware_condition"
TEMPERATURE = "distributed_testing_worker_gpu_temperature_celsius"
GPU_MEMORY = "distributed_testing_worker_gpu_memory_utilization_ratio"
HEAT = select(TEMPERATURE, MACHINE)
OF_HARDWARE = in_group("hardware")
HOT = (("green", None), ("orange", 80), ("red", 85))  # 85 °C: the rule GPUOverheating
BY_CONDITION = "worker_condition"
ANY = (("green", None), ("orange", 1))
OF_WORKER = [page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))]
OF_TYPE = [page("Errors with this hardware", hardware=label("hardware_type"))]
ON = words({0: ("no", "green"), 1: ("yes", "red")})
NONE = words({-1: ("none", "transparent")})
UNTIL = "From the latest report of each worker, for one hour after the report."


def condition(name: str, *matchers: str) -> str:
    return select(CONDITION, f'condition="{name}"', *matchers)


def count(title: str, name: str) -> core.Panel:
    return panels.stat(
        title,
        f"Workers that report {name.replace('_', ' ')}. `other`, all workers beyond the limits, counts as one. {UNTIL}",
        moment(otherwise(f"sum(max by (worker) ({condition(name)}))")),
        limits=ANY,
        links=[page("Hardware errors", group="hardware")],
    )


def history(title: str, name: str) -> core.Panel:
    of = (f'condition="{name}"', MACHINE)
    shown, judged = recorded(CONDITION, *of, level=BY_CONDITION), at_end(CONDITION, *of, level=BY_CONDITION)
    return panels.status_history(
        title,
        f"When each worker reported {name.replace('_', ' ')}: the 20 workers that reported it for the longest time, "
        f"without `other`. {UNTIL}",
        query(worst(20, f"max by (worker) ({shown})", "worker", judged), "{{worker}}"),
        mappings=[ON],
        limits=(("green", None), ("red", 1)),
        links=OF_WORKER,
    )


hottest = panels.stat(
    "Hottest GPU",
    f"Orange from 80 °C, red from 85 °C, the threshold of the rule GPUOverheating. {UNTIL} None: no report has a GPU.",
    moment(otherwise(f"max({select(TEMPERATURE)})", -1)),
    unit="celsius",
    limits=HOT,
    mappings=[NONE],
    links=[page("Hardware errors", group="hardware")],
)
fullest = panels.stat(
    "Fullest GPU memory",
    f"Red from 95 %, the threshold of the rule GPUMemoryPressure. {UNTIL} None: no report has a GPU.",
    moment(otherwise(f"max({select(GPU_MEMORY)})", -1)),
    unit="percentunit",
    limits=MEMORY,
    mappings=[NONE],
    links=[page("Resource errors", group="resource")],
)
in_range = panels.stat(
    "Hardware errors",
    "Errors of the categories HARDWARE_… in the time range.",
    moment(otherwise(counted("", OF_HARDWARE, level="category"))),
    links=[page("Hardware errors", group="hardware")],
)
by_type = panels.bars(
    "Errors by hardware type",
    "Errors of all categories in the time range, by the hardware type in the report.",
    top(10, grown(BY_TYPE, by="hardware_type")),
    "hardware_type",
    links=[page("Errors with this hardware", hardware=cell("hardware_type"))],
)
over_time = panels.timeseries(
    "Errors by hardware type over time",
    "Errors per minute, by the hardware type in the report.",
    with_exemplars(a_minute(BY_TYPE, by="hardware_type"), "{{hardware_type}}"),
    axis="errors a minute",
    stack=True,
    links=OF_TYPE,
)
temperature = panels.timeseries(
    "GPU temperature",
    f"The hottest GPU of each of the 12 hottest workers, without `other`. {UNTIL} Dashed: 80 and 85 °C.",
    query(
        worst(12, f"max by (worker) ({recorded(TEMPERATURE, MACHINE)})", "worker",
              at_end(TEMPERATURE, MACHINE, over="max_over_time")), "{{worker}}"),
    unit="celsius",
    limits=HOT,
    bottom=None,
    points=POINTS,
    links=OF_WORKER,
)  # fmt: skip
gpu_memory = panels.timeseries(
    "GPU memory",
    "The fullest GPU memory of each of the 12 workers where it was fullest, without `other`. "
    f"{UNTIL} Dashed: 80 and 95 %.",
    query(
        worst(12, f"max by (worker) ({recorded(GPU_MEMORY, MACHINE)})", "worker",
              at_end(GPU_MEMORY, MACHINE, over="max_over_time")), "{{worker}}"),
    unit="percentunit",
    limits=MEMORY,
    high=1,
    points=POINTS,
    links=OF_WORKER,
)  # fmt: skip
together = panels.timeseries(
    "Errors and temperature",
    "Errors per minute of the categories HARDWARE_… (left), and the temperature of the hottest GPU and the average of "
    "each worker's hottest (right). If they rise together, heat may cause the errors.",
    query(f"{A_MINUTE} * {counted('', OF_HARDWARE, level='category', over='$__interval')}", "hardware errors"),
    query(f"max({select(f'job_instance:{TEMPERATURE}:max')})", "hottest GPU"),
    query(f"avg({select(f'job_instance:{TEMPERATURE}:avg')})", "workers on average"),
    least="1m",
    axis="errors a minute",
    bottom=None,
    overrides=[
        override("hardware errors", color=colour("red"), custom_drawStyle="bars", custom_fillOpacity=50, min=0),
        *(override(name, unit="celsius", color=colour(shade), custom_axisPlacement="right", custom_axisLabel="")
          for name, shade in (("hottest GPU", "orange"), ("workers on average", "yellow"))),
    ],
    links=[page("Hardware errors", group="hardware")],
)  # fmt: skip
hot_workers = panels.table(
    "Hot workers",
    "Each worker's hottest GPU and its hardware errors in the time range. A hot worker with many errors needs a check; "
    "a hot worker without errors does not. Without `other`, which is many machines.",
    now(f"max by (worker) ({HEAT})"),
    now(f"max by (worker) ({select(GPU_MEMORY, MACHINE)})"),
    now(f"max by (worker) ({condition('throttling', MACHINE)} and on (worker) {HEAT})"),
    now(f"{counted('worker', OF_HARDWARE, MACHINE, level='category_worker')} and on (worker) {HEAT}"),
    columns=[
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker")),
                                              worker_dashboard(cell("Worker"))]}),
        Column("Value #A", "Hottest GPU", {"unit": "celsius", "decimals": 0, **background(HOT)}),
        Column("Value #B", "GPU memory", {"unit": "percentunit", "decimals": 0, **background(MEMORY)}),
        Column("Value #C", "Throttling", background((("green", None), ("red", 1)), ON)),
        Column("Value #D", "Hardware errors", {"decimals": 0}),
    ],
    sort="Hottest GPU",
)  # fmt: skip

dashboard = frame.dashboard(
    "hardware",
    "Hardware",
    "Which hardware fails, is hot or full, and whether heat and errors rise together.",
    shelf(4, (4, in_range), (4, hottest), (4, fullest), (4, count("Overheating", "overheating")),
          (4, count("Throttling", "throttling")), (4, count("Memory pressure", "memory_pressure"))),
    shelf(9, (8, by_type), (16, over_time)),
    shelf(9, (12, temperature), (12, gpu_memory)),
    shelf(10, (12, together), (12, hot_workers)),
    shelf(9, (12, history("Thermal throttling", "throttling")),
          (12, history("Workers under memory pressure", "memory_pressure"))),
)  # fmt: skip
