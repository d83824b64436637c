"""PromQL of the dashboards. Every selector is limited to the jobs and instances that are chosen."""

from typing import Final

SELECTED: Final = ('job=~"$job"', 'instance=~"$instance"')
# Alerts of the service's rules; some are about Prometheus and Alertmanager, some about a job that is missing.
ALERTS: Final = 'ALERTS{alertstate="firing", severity!="none", source="rule", job=~"$job|prometheus|alertmanager|"}'


def select(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join((*SELECTED, *matchers))}}}"


def ours(expression: str) -> str:
    """Of what Prometheus knows of any target: that of the service, while it is down, too."""
    return f"{expression} and on (job, instance) last_over_time({select('distributed_testing_build_info')}[$__range])"


def total(expression: str, by: str = "") -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def a_minute(metric: str, *matchers: str, by: str = "") -> str:
    return f"60 * {a_second(metric, *matchers, by=by)}"


def a_second(metric: str, *matchers: str, by: str = "") -> str:
    return total(f"rate({select(metric, *matchers)}[$__rate_interval])", by)


def grown(metric: str, *matchers: str, by: str = "") -> str:
    """By how much a counter grew in the time range. increase() extrapolates: it makes 3 errors 3.4. Ours begin at 0 and
    never go down, so the difference is exact; where one did go down (a new database), increase() is right."""
    counter = f"{select(metric, *matchers)}[$__range]"
    exact = f"max_over_time({counter}) - min_over_time({counter}) and resets({counter}) == 0"
    return total(f"{exact} or increase({counter})", by)


def quantile(share: float, histogram: str) -> str:
    return f"histogram_quantile({share}, {a_second(f'{histogram}_bucket', by='le')})"


def top(count: int, expression: str) -> str:
    """The most, in order, without those that are 0; for instant queries."""
    return f"sort_desc(topk({count}, {expression} > 0))"


def worst(count: int, expression: str, by: str, judged: str) -> str:
    """The same few of a graph's series from its beginning to its end: those of which `judged` is highest at the end."""
    return f"{expression} and on ({by}) topk({count}, {judged})"


def at_end(metric: str, *matchers: str, over: str = "avg_over_time", by: str = "worker") -> str:
    """A gauge over the whole time range, as seen at its end."""
    return f"max by ({by}) ({over}({select(metric, *matchers)}[$__range] @ end()))"
