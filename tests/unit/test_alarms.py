"""The sandbox's alarms, held against AWS's documented examples of missing data."""

import pytest

from tests.sandbox.ministack.alarms import evaluate, state

RETAINED = "retained"
DOCUMENTED = [
    # Data points (0: not breaching, X: breaching, -: missing), how many of three must breach, and the states
    # for missing, ignore, breaching, notBreaching.
    ("0-X-X", 3, "OK", "OK", "OK", "OK"),
    ("----0", 3, "OK", "OK", "OK", "OK"),
    ("-----", 3, "INSUFFICIENT_DATA", RETAINED, "ALARM", "OK"),
    ("0XX-X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", 3, "ALARM", RETAINED, "ALARM", "OK"),
    ("0-X-X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", 2, "OK", "OK", "ALARM", "OK"),
    ("----0", 2, "OK", "OK", "ALARM", "OK"),
    ("---X-", 2, "ALARM", RETAINED, "ALARM", "OK"),
]


@pytest.mark.parametrize(
    ("points", "to_alarm", "treatment", "expected"),
    [
        (points, to_alarm, treatment, expected)
        for points, to_alarm, *states in DOCUMENTED
        for treatment, expected in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True)
    ],
)
def test_documented_examples(points: str, to_alarm: int, treatment: str, expected: str) -> None:
    told = [{"0": False, "X": True, "-": None}[point] for point in points]
    assert evaluate(told, 3, to_alarm, treatment, RETAINED) == expected


@pytest.mark.parametrize(
    ("statistic", "operator", "threshold", "values", "expected"),
    [
        ("Maximum", "GreaterThanThreshold", 1, [1, 2, 0], "ALARM"),
        ("Maximum", "GreaterThanThreshold", 2, [1, 2, 0], "OK"),
        ("Minimum", "LessThanOrEqualToThreshold", 0, [1, 2, 0], "ALARM"),
        ("Sum", "GreaterThanOrEqualToThreshold", 3, [1, 2, 0], "ALARM"),
        ("SampleCount", "LessThanThreshold", 3, [1, 2, 0], "OK"),
        ("Average", "GreaterThanThreshold", 1, [1, 2, 0], "OK"),
    ],
)
def test_statistics(statistic: str, operator: str, threshold: float, values: list[float], expected: str) -> None:
    alarm = {
        "Statistic": statistic,
        "ComparisonOperator": operator,
        "Threshold": threshold,
        "Period": 300,
        "EvaluationPeriods": 1,
        "TreatMissingData": "missing",
        "StateValue": RETAINED,
    }
    now = 10_000.0
    assert state(alarm, [(now - 10 * number, value) for number, value in enumerate(values)], now) == expected
    assert state(alarm, [(now - 950, value) for value in values], now) == "INSUFFICIENT_DATA"


def test_a_new_period_begins_when_the_last_one_is_over() -> None:
    alarm = {
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "Period": 300,
        "EvaluationPeriods": 1,
        "StateValue": "ALARM",
    }
    assert state(alarm, [(1000.0, 1), (1400.0, 0)], 1410.0) == "OK"
    assert state(alarm, [(1000.0, 1), (1200.0, 0)], 1210.0) == "ALARM"
