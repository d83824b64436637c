"""PromQL of the dashboards. Every selector is limited to the selected jobs and instances."""

from typing import Final

from exporter.events.groups import PREFIXES, GroupName

SELECTED: Final = ('job=~"$job"', 'instance=~"$instance"')
SERVICE: Final = "distributed_testing_build_info"  # exists while the service runs
# Excludes `other`, which is no machine: it counts all workers beyond the label limits. The rules exclude it, too.
MACHINE: Final = 'worker!="other"'
# Errors per minute in each interval of a graph, from the counts of a recording rule.
A_MINUTE: Final = "60000 / $__interval_ms"
# Points of a graph of some of a thousand workers. Grafana's default, a point per pixel, is five times the work.
POINTS: Final = 240
# Always fires where the rules are loaded.
WATCHDOG: Final = 'ALERTS{alertname="Watchdog", alertstate="firing"}'


def select(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join((*SELECTED, *matchers))}}}"


def recorded(metric: str, *matchers: str, level: str = "worker", of: str = "max") -> str:
    """Returns a selector of the highest (`of="min"`: the lowest) values of a gauge of workers, which
    prometheus/rules/dashboards.yml records by `level`. A graph of the gauge itself over a week would read up to
    hundreds of millions of samples."""
    return select(f"job_instance_{level}:{metric}:{of}", *matchers)


def delta(level: str, *matchers: str) -> str:
    """Returns a selector of the numbers of new errors, which prometheus/rules/dashboards.yml records by the labels of
    `level`. It has a sample only where there are new errors."""
    return select(f"job_instance_{level}:distributed_testing_errors:delta", *matchers)


def counted(by: str, *matchers: str, level: str = "", over: str = "$__range") -> str:
    """Returns the number of errors in the time range, by labels. `level` are the labels that the matchers need, too.
    The errors of the newest minute may be missing."""
    return total(f"sum_over_time({delta(level or by, *matchers)}[{over}])", by)


def in_group(name: GroupName) -> str:
    """Returns the matcher of the categories of a group."""
    return f'category=~"(?i:{PREFIXES[name].lower()}.*)"'


def ours(expression: str) -> str:
    """Returns the expression limited to targets of the service, also while the service is down."""
    return f"{expression} and on (job, instance) last_over_time({select(SERVICE)}[$__range])"


def alerts(*matchers: str) -> str:
    """Returns a selector of firing alerts of the service's rules. Some of these alerts have the job of Prometheus or
    Alertmanager; alerts about a missing job have none."""
    about = 'alertstate="firing", severity!="none", source="rule", job=~"$job|prometheus|alertmanager|"'
    return f"ALERTS{{{', '.join((about, *matchers))}}}"


def otherwise(expression: str, value: int = 0) -> str:
    """Returns the expression, with `value` as its result if it has no series while the service runs. So "no data" means
    that the service is down, not that there are no errors."""
    return f"{expression} or {value} * max({select(SERVICE)})"


def total(expression: str, by: str = "") -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def a_minute(metric: str, *matchers: str, by: str = "") -> str:
    return f"60 * {a_second(metric, *matchers, by=by)}"


def a_second(metric: str, *matchers: str, by: str = "") -> str:
    return total(f"rate({select(metric, *matchers)}[$__rate_interval])", by)


def grown(metric: str, *matchers: str, by: str = "") -> str:
    """Returns the increase of a counter in the time range. increase() extrapolates, for example from 3 errors to 3.4.
    The service's counters begin at 0 and never go down, so last minus minimum is exact, and it reads the range only
    twice. If a new database resets a counter, the result is the count since the reset. For counters with few series."""
    counter = f"{select(metric, *matchers)}[$__range]"
    return total(f"last_over_time({counter}) - min_over_time({counter})", by)


def quantile(share: float, histogram: str) -> str:
    return f"histogram_quantile({share}, {a_second(f'{histogram}_bucket', by='le')})"


def top(count: int, expression: str, above: float = 0) -> str:
    """Returns the `count` largest series greater than `above`, in descending order. For instant queries only."""
    return f"sort_desc(topk({count}, {expression} > {above}))"


def worst(count: int, expression: str, by: str, judged: str) -> str:
    """Returns the `count` series of a graph for which `judged` is highest. `judged` is taken at the end of the time
    range, so that the graph shows the same series throughout."""
    return f"{expression} and on ({by}) topk({count}, {judged})"


def at_end(metric: str, *matchers: str, over: str = "avg_over_time", level: str = "worker") -> str:
    """Returns a recorded gauge of workers, aggregated over the whole time range, evaluated at its end."""
    return f"max by (worker) ({over}({recorded(metric, *matchers, level=level)}[$__range] @ end()))"
