"""PromQL of the dashboards. Every selector is limited to the jobs and instances that are chosen."""

from typing import Final

from exporter.events.groups import PREFIXES, GroupName

SELECTED: Final = ('job=~"$job"', 'instance=~"$instance"')
SERVICE: Final = "distributed_testing_build_info"  # there while the service is
# All workers beyond the limits of the labels are together in `other`, which is no machine. The rules leave it out, too.
MACHINE: Final = 'worker!="other"'
# Always fires where the rules are loaded.
WATCHDOG: Final = 'ALERTS{alertname="Watchdog", alertstate="firing"}'


def select(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join((*SELECTED, *matchers))}}}"


def in_group(name: GroupName) -> str:
    """Returns the matcher of the categories of a group."""
    return f'category=~"(?i:{PREFIXES[name].lower()}.*)"'


def ours(expression: str) -> str:
    """Of what Prometheus knows of any target: that of the service, while it is down, too."""
    return f"{expression} and on (job, instance) last_over_time({select(SERVICE)}[$__range])"


def alerts(*matchers: str) -> str:
    """Of the service's rules, those that fire; some are about Prometheus and Alertmanager, some about a job that is
    missing."""
    about = 'alertstate="firing", severity!="none", source="rule", job=~"$job|prometheus|alertmanager|"'
    return f"ALERTS{{{', '.join((about, *matchers))}}}"


def otherwise(expression: str, value: int = 0) -> str:
    """A number, or where the service runs and knows of none, a value; without the service there is none. So "no data"
    is a service that is not there, and no fleet that is well."""
    return f"{expression} or {value} * max({select(SERVICE)})"


def total(expression: str, by: str = "") -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def a_minute(metric: str, *matchers: str, by: str = "") -> str:
    return f"60 * {a_second(metric, *matchers, by=by)}"


def a_second(metric: str, *matchers: str, by: str = "") -> str:
    return total(f"rate({select(metric, *matchers)}[$__rate_interval])", by)


def grown(metric: str, *matchers: str, by: str = "") -> str:
    """By how much a counter grew in the time range. increase() extrapolates: it makes 3 errors 3.4. Ours begin at 0 and
    never go down, so the difference is exact, and walks the range twice only. Where one did go down, which takes a new
    database, it is what was counted since then."""
    counter = f"{select(metric, *matchers)}[$__range]"
    return total(f"last_over_time({counter}) - min_over_time({counter})", by)


def quantile(share: float, histogram: str) -> str:
    return f"histogram_quantile({share}, {a_second(f'{histogram}_bucket', by='le')})"


def top(count: int, expression: str, above: float = 0) -> str:
    """The most, in order, without those that are 0; for instant queries."""
    return f"sort_desc(topk({count}, {expression} > {above}))"


def worst(count: int, expression: str, by: str, judged: str) -> str:
    """The same few of a graph's series from its beginning to its end: those of which `judged` is highest at the end."""
    return f"{expression} and on ({by}) topk({count}, {judged})"


def at_end(metric: str, *matchers: str, over: str = "avg_over_time", by: str = "worker") -> str:
    """A gauge over the whole time range, as seen at its end."""
    return f"max by ({by}) ({over}({select(metric, *matchers)}[$__range] @ end()))"
