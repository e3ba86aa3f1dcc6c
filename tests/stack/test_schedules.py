"""The schedules start the runs."""

import json
import time
from datetime import UTC, datetime

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import InvocationError, Stack
from tests.stack.conftest import SOURCES

LONGEST_WAIT_SECONDS = 100


@pytest.fixture(scope="module")
def disabled(aws: EmbeddedAws) -> Stack:
    return Stack(aws, "Other", {"ScheduleState": "DISABLED"})


def test_each_source_has_its_schedules_with_its_name_and_the_scheduled_time(stack: Stack) -> None:
    inputs = []
    for schedule in stack.schedules():
        target = schedule["Target"]
        inputs.append(json.loads(target["Input"]))
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 900}
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}  # the full listing keeps its distance from the others
        assert schedule["State"] == "ENABLED"
    time = "<aws.scheduler.scheduled-time>"
    assert sorted(inputs, key=lambda event: (event["source"], len(event))) == [
        {"source": source, "time": time} | more for source in SOURCES for more in ({}, {"full": True})
    ]


def test_no_schedule_is_enabled_if_the_parameter_disables_them(disabled: Stack) -> None:
    assert [schedule["State"] for schedule in disabled.schedules()] == ["DISABLED", "DISABLED"]


def test_two_stacks_in_one_account_do_not_clash(disabled: Stack, stack: Stack, shared_api: SimulatedApi) -> None:
    other = disabled
    other.put_secret("default", shared_api.secret)
    assert other.invoke()["bucket"] != stack.outputs["SnapshotBucket"]
    assert (other.outputs["Database"], stack.outputs["Database"]) == ("other", "tested")  # Glue refuses capital letters
    # A stack's role can read its own secrets only.
    with pytest.raises(InvocationError, match=r"secret Other/alpha does not exist|cannot be read"):
        other.invoke(source="alpha")


def test_schedules_start_runs(stack: Stack) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    latest = {f"latest/{source}.tsv" for source in SOURCES}
    while not latest <= stack.objects().keys() and time.monotonic() < deadline:
        time.sleep(1)
    objects = stack.objects()
    assert latest <= objects.keys()
    for source in SOURCES:
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        dated = [key for key in objects if key.startswith(f"snapshots/source={source}/dt={today}/")]
        assert dated
        assert objects[dated[-1]].count(b"\n") == 251
        assert stack.metrics()["JobCount", frozenset({("service", "tested"), ("Source", source)})][-1] == 250


def test_key_appears_in_no_log_or_object(stack: Stack, shared_api: SimulatedApi) -> None:
    with pytest.raises(InvocationError):
        stack.invoke(source="no-such-source")
    logs = stack.aws.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert len(groups) > 1  # the stacks of other tests are searched, too
    events = logs.get_paginator("filter_log_events")
    lines = [
        event["message"] for name in groups for page in events.paginate(logGroupName=name) for event in page["events"]
    ]
    assert any('"source":"alpha"' in line for line in lines)
    metrics = [line for line in lines if "CloudWatchMetrics" in line]
    assert metrics
    kept = "\n".join(lines) + repr(stack.objects()) + stack.aws.log.read_text()
    assert shared_api.key not in kept
    assert shared_api.key[:12] not in kept
