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
UTILIZATION = "distributed_testing_worker_gpu_utilization_ratio"
POWER = "distributed_testing_worker_gpu_power_watts"
CLOCK = "distributed_testing_worker_gpu_clock_hertz"
XID = 'type=~"XID [0-9]+|SXid [0-9]+"'  # the types of the agent's reports
HEAT = select(TEMPERATURE, MACHINE)
OF_HARDWARE = in_group("hardware")
HOT = (("green", None), ("orange", 80), ("red", 85))  # 85 °C: the rule GPUOverheating
BY_CONDITION = "worker_condition"
ANY = (("green", None), ("orange", 1))
OF_WORKER = [page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))]
OF_TYPE = [page("Errors with this hardware", hardware=label("hardware_type"))]
ON = words({0: ("no", "green"), 1: ("yes", "red")})
NONE = words({-1: ("none", "transparent")})
UNTIL = "From the latest report or heartbeat of each worker, for one hour."
HOTTEST = at_end(TEMPERATURE, MACHINE, over="max_over_time")


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
    query(worst(12, f"max by (worker) ({recorded(TEMPERATURE, MACHINE)})", "worker", HOTTEST), "{{worker}}"),
    unit="celsius",
    limits=HOT,
    bottom=None,
    points=POINTS,
    links=OF_WORKER,
)
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
utilisation = panels.timeseries(
    "GPU utilisation",
    f"The busiest GPU of each of the 12 workers whose GPUs were busiest, without `other`. {UNTIL}",
    query(
        worst(12, f"max by (worker) ({recorded(UTILIZATION, MACHINE)})", "worker", at_end(UTILIZATION, MACHINE)),
        "{{worker}}",
    ),
    unit="percentunit",
    high=1,
    points=POINTS,
    links=OF_WORKER,
)
power = panels.timeseries(
    "GPU power",
    f"The GPU that draws most, of each of the 12 workers whose GPUs drew most, without `other`. {UNTIL}",
    query(worst(12, f"max by (worker) ({recorded(POWER, MACHINE)})", "worker", at_end(POWER, MACHINE)), "{{worker}}"),
    unit="watt",
    points=POINTS,
    links=OF_WORKER,
)
clock = panels.timeseries(
    "GPU clocks of the hottest workers",
    "The slowest GPU of each of the 12 hottest workers, without `other`. A clock that falls while the temperature is "
    f"high is thermal throttling; an idle GPU has a low clock, too. {UNTIL}",
    query(worst(12, f"min by (worker) ({recorded(CLOCK, MACHINE, of='min')})", "worker", HOTTEST), "{{worker}}"),
    unit="hertz",
    points=POINTS,
    links=OF_WORKER,
)
xids = panels.bars(
    "XIDs",
    "Errors of NVIDIA's driver and switches in the time range by their number, from the kernel logs that agents read.",
    top(10, counted("type", XID, level="type")),
    "type",
    links=[page("Errors of this type", type=cell("type"))],
)
xids_over_time = panels.timeseries(
    "XIDs over time",
    "XIDs per minute, by their number.",
    query(f"{A_MINUTE} * {counted('type', XID, level='type', over='$__interval')}", "{{type}}"),
    least="1m",
    axis="XIDs a minute",
    stack=True,
    links=[page("Errors of this type", type=label("type"))],
)
xids_by_worker = panels.table(
    "Workers with XIDs",
    "The 100 workers and numbers with most XIDs in the time range, without `other`. A worker with XID 79 or 95 needs a "
    "check; 13 and 31 are mostly mistakes of a program.",
    now(top(100, counted("worker, type", XID, MACHINE, level="category_worker_type"))),
    columns=[
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker")),
                                              worker_dashboard(cell("Worker"))]}),
        Column("type", "XID", {"links": [page("Errors of this type", type=cell("XID"))], "custom_width": 90}),
        Column("Value", "Errors", {"decimals": 0, "custom_width": 80}),
    ],
    sort="Errors",
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
        *(override(name, unit="celsius", color=colour(shade), custom_axisPlacement="right", custom_axisLabel="",
                   custom_fillOpacity=0)
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
        Column("Value #D", "Hardware errors", {"decimals": 0, "custom_width": 130}),
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
    shelf(9, (8, utilisation), (8, power), (8, clock)),
    shelf(9, (7, xids), (9, xids_over_time), (8, xids_by_worker)),
    shelf(10, (12, together), (12, hot_workers)),
    shelf(9, (12, history("Thermal throttling", "throttling")),
          (12, history("Workers under memory pressure", "memory_pressure"))),
)  # fmt: skip
