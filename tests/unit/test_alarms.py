"""The sandbox's alarms follow AWS's documented examples; the template's alarms in an outage."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from snapshot.statuses import ACTIVE

from tests.documents import TEMPLATE
from tests.sandbox.ministack.alarms import ALARM, OK, evaluate, state

RETAINED = "retained"
DOCUMENTED = [
    # Data points (0: not breaching, X: breaching, -: missing), how many of three must be breaching, and the states
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
def test_alarm_states_follow_the_documented_examples(points: str, to_alarm: int, treatment: str, expected: str) -> None:
    breaching = [{"0": False, "X": True, "-": None}[point] for point in points]
    assert evaluate(breaching, 3, to_alarm, treatment, RETAINED) == expected


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
def test_alarm_statistics_are_computed_as_documented(
    statistic: str, operator: str, threshold: float, values: list[float], expected: str
) -> None:
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


def test_period_begins_when_the_previous_one_ends() -> None:
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


# --- The template's alarms ---

(_, _, OF_A_SOURCE) = TEMPLATE["Resources"]["Fn::ForEach::Alarms"]
ALARMS = {
    logical_id.removesuffix("&{Source}"): resource["Properties"]
    for logical_id, resource in (OF_A_SOURCE | TEMPLATE["Resources"]).items()
    if isinstance(resource, dict) and resource["Type"] == "AWS::CloudWatch::Alarm"
}
MINUTE, HOUR = 60, 3600
START, RECOVERY, END = 5 * HOUR, 7 * HOUR, 11 * HOUR  # the outage takes two hours
# Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
RETRIES_AFTER = (0, 1 * MINUTE, 3 * MINUTE)


def deployed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return an alarm's properties, with the parameters' defaults."""
    defaults = {name: parameter["Default"] for name, parameter in TEMPLATE["Parameters"].items()}
    return {name: defaults.get(value, value) if isinstance(value, str) else value for name, value in properties.items()}


def metrics_of_an_outage(other_source_after: int) -> dict[str, list[tuple[float, float]]]:
    """Return the metrics of a source that cannot be listed during the outage, as (time, value).

    `Errors` are those of all sources. This source runs every 15 minutes, a healthy one `apart` seconds later. A job is
    stuck and a shutdown near all the time; during the outage, one job is created and another one fails.
    """
    metrics: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for time in range(0, END, 15 * MINUTE):
        metrics["Errors"].append((time + other_source_after, 0))
        if START <= time < RECOVERY:
            metrics["Errors"] += [(time + retry, 1) for retry in RETRIES_AFTER]
            continue
        is_first_again = time == RECOVERY
        values = {
            "Errors": 0,
            "JobCount": 250,
            "JobsFailed": int(is_first_again),
            "JobCountChange": int(is_first_again),
            "OldestActiveJobAge": 2 * 86400 + time,
            "DaysToModelShutdown": 9,
        }
        for name, value in values.items():
            metrics[name].append((time, value))
    return metrics


def mails(alarm: dict[str, Any], values: list[tuple[float, float]]) -> Iterator[str]:
    """Return the states that an alarm sends from the start of the outage on; it is evaluated every minute."""
    alarm = alarm | {"StateValue": "INSUFFICIENT_DATA"}
    actions = {ALARM: alarm.get("AlarmActions"), OK: alarm.get("OKActions")}
    for now in range(4 * HOUR, END, MINUTE):  # its state is settled before the outage
        before, known = alarm["StateValue"], [(time, value) for time, value in values if time <= now]
        alarm["StateValue"] = state(alarm, known, now)
        if alarm["StateValue"] != before and actions.get(alarm["StateValue"]) and now >= START:
            yield alarm["StateValue"]


EXPECTED_MAILS = {
    "SnapshotErrors": [ALARM, OK],  # once for 24 failed runs, and once an hour after the last one
    "SnapshotMissing": [],  # CloudWatch waits longer for missing data; SnapshotErrors has reported the outage
    "JobsFailed": [ALARM],  # sent by the first run after the outage, which finds the changes
    "JobCountChanged": [ALARM],  # likewise; neither of the two sends its return to OK
    "JobStuck": [],  # in ALARM before the outage, and during it
    "ModelShutdownNear": [],  # likewise, because its period is longer than the outage
}


@pytest.mark.parametrize("other_source_after", range(0, 15 * MINUTE, 2 * MINUTE))
@pytest.mark.parametrize("name", ALARMS)
def test_an_outage_of_two_hours_sends_each_alarm_at_most_once(name: str, other_source_after: int) -> None:
    alarm = deployed(ALARMS[name])
    values = metrics_of_an_outage(other_source_after)[alarm["MetricName"]]
    assert list(mails(alarm, values)) == EXPECTED_MAILS[name]


def test_source_without_jobs_is_not_a_missing_snapshot() -> None:
    values = [(float(time), 1.0 if time < START else 0.0) for time in range(0, END, 15 * MINUTE)]
    assert list(mails(deployed(ALARMS["SnapshotMissing"]), values)) == []


@pytest.mark.parametrize(("days", "expected"), [(31, []), (30, [ALARM]), (29, [ALARM])])
def test_shutdown_is_near_from_the_parameter_s_day_on(days: float, expected: list[str]) -> None:
    values = [(float(time), 99.0 if time < START else days) for time in range(0, END, 15 * MINUTE)]
    alarm = deployed(ALARMS["ModelShutdownNear"]) | {"Period": 15 * MINUTE}  # so that the earlier days do not count
    assert list(mails(alarm, values)) == expected


def test_shutdown_is_reported_once_if_runs_are_half_a_day_apart() -> None:
    values = [(float(time), 9.0) for time in range(START, START + 86400, 12 * HOUR)]
    assert list(mails(deployed(ALARMS["ModelShutdownNear"]), values)) == [ALARM]


@pytest.mark.parametrize("name", ALARMS)
def test_longest_name_and_description_fit_cloudwatch_s_limits(name: str) -> None:
    # The limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    longest = {
        "AWS::StackName": 34,  # the longest that `make deploy` takes
        "Source": 64,
        "SnapshotMissingHours": 3,
        "JobStuckSeconds": 9,
        "ShutdownNearDays": 4,
    }
    for property_name, limit in {"AlarmName": 255, "AlarmDescription": 1024}.items():
        assert len(re.sub(r"\$\{(.+?)\}", lambda found: "x" * longest[found[1]], ALARMS[name][property_name])) <= limit


def test_job_stuck_names_the_active_statuses() -> None:
    description = ALARMS["JobStuck"]["AlarmDescription"]
    assert [status for status in ACTIVE if not re.search(rf"\b{status}\b", description)] == []
