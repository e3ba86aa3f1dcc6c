"""The evaluation of CloudWatch's metric alarms, as AWS documents it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

# CloudWatch looks further back than the evaluation periods: by two periods in its documented examples.
_PERIODS_FURTHER_BACK = 2
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": gt,
    "GreaterThanOrEqualToThreshold": ge,
    "LessThanThreshold": lt,
    "LessThanOrEqualToThreshold": le,
}
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


def state(alarm: Mapping[str, Any], values: Sequence[tuple[float, float]], now: float) -> str:
    """Return the state of an alarm (a response of DescribeAlarms) for a metric's values as (Unix time, value)."""
    periods = alarm["EvaluationPeriods"]
    breaches = [
        _breach(alarm, [value for time, value in values if ago <= (now - time) / alarm["Period"] < ago + 1])
        for ago in reversed(range(periods + _PERIODS_FURTHER_BACK))
    ]
    return evaluate(
        breaches,
        periods,
        alarm.get("DatapointsToAlarm") or periods,
        alarm.get("TreatMissingData", "missing"),
        alarm["StateValue"],
    )


def evaluate(points: Sequence[bool | None], periods: int, to_alarm: int, missing: str, current: str) -> str:
    """Return the state for data points, oldest first: whether each is breaching, None if it is missing."""
    real = [point for point in points if point is not None][-periods:]
    if not real:
        return {"breaching": ALARM, "notBreaching": OK, "missing": INSUFFICIENT_DATA}.get(missing, current)
    filled = periods - len(real) if missing == "breaching" else 0
    if sum(real) + filled >= to_alarm:
        return ALARM
    if len(real) == periods or missing in {"breaching", "notBreaching"} or not all(real):
        return OK
    # All points are breaching, but too few: with `missing`, ALARM once the oldest is old enough; with `ignore`, never.
    oldest = next(age for age, point in zip(range(len(points), 0, -1), points, strict=True) if point)
    return ALARM if missing == "missing" and oldest >= to_alarm else current


def _breach(alarm: Mapping[str, Any], values: Sequence[float]) -> bool | None:
    if not values:
        return None
    statistic = _STATISTICS[alarm["Statistic"]](values)
    return _COMPARISONS[alarm["ComparisonOperator"]](statistic, alarm["Threshold"])
