"""Each alarm goes into ALARM for its own cause and source, sends to both topics, and returns to OK afterwards."""

import json
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from snapshot.statuses import TERMINAL

from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.queues import Queue
from tests.sandbox.simulated_jobs import BASE_MODELS, new_job, new_jobs
from tests.sandbox.stack import InvocationError, Stack

HOUR = 3600
DAY = 24 * HOUR
SETTLE_SECONDS = 20
CHANCE = random.Random(5)


@pytest.fixture(scope="module")
def alarmed(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    parameters = {"Sources": "alpha,team-b", "ScheduleState": "DISABLED", "NotifyStatuses": "failed,removed"}
    stack = Stack(aws, "alarmed", parameters)
    for source in ("alpha", "team-b"):
        stack.put_secret(source, own_api.secret)
    return stack


@pytest.fixture
def calm(alarmed: Stack, own_api: SimulatedApi) -> Stack:
    """A stack with two sources, long after the last change."""
    own_api.jobs = [job for job in new_jobs(250, own_api.now - DAY) if job.reached(own_api.now)[-1][1] in TERMINAL]
    own_api.announced = {}
    alarmed.aws.advance(5 * DAY)
    for source in ("alpha", "team-b"):
        alarmed.invoke(source=source)
    alarmed.aws.advance(HOUR)
    assert_soon(lambda: in_alarm(alarmed) == set())
    return alarmed


def in_alarm(stack: Stack) -> set[str]:
    return {logical_id for logical_id, alarm in stack.alarms().items() if alarm["StateValue"] == "ALARM"}


def assert_soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert condition()


def emitted(stack: Stack) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return namespace, name and dimensions of every metric in CloudWatch."""
    pages = stack.aws.client("cloudwatch").get_paginator("list_metrics").paginate()
    return {
        (metric["Namespace"], metric["MetricName"], frozenset((d["Name"], d["Value"]) for d in metric["Dimensions"]))
        for page in pages
        for metric in page["Metrics"]
    }


def watched(alarm: dict[str, Any]) -> tuple[str, str, frozenset[tuple[str, str]]]:
    return alarm["Namespace"], alarm["MetricName"], frozenset((d["Name"], d["Value"]) for d in alarm["Dimensions"])


def test_each_alarm_watches_a_metric_that_is_emitted(calm: Stack) -> None:
    known = emitted(calm)
    alarms = calm.alarms()
    assert len(alarms) == 2 * 5 + 1
    for name, alarm in alarms.items():
        assert watched(alarm) in known, name
        for dimension in alarm["Dimensions"]:
            other = [d | ({"Value": "other"} if d == dimension else {}) for d in alarm["Dimensions"]]
            assert watched(alarm | {"Dimensions": other}) not in known
        assert alarm["AlarmActions"] == [calm.outputs["Topic"], calm.outputs["ChatTopic"]]


def test_each_description_says_what_to_do_and_how_to_silence_the_alarm(calm: Stack) -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for alarm in calm.alarms().values():
        name, sources = alarm["AlarmName"], [d["Value"] for d in alarm["Dimensions"] if d["Name"] == "Source"]
        what, to_do, silence = re.split(" What to do: | To silence it: ", alarm["AlarmDescription"])
        assert all(f"the source {source}" in what for source in sources)
        assert silence == f'`aws cloudwatch disable-alarm-actions --alarm-names "{name}"`'
        commands = re.findall(r"`make ([a-z]+) STACK=alarmed(?: SOURCE=(\S+)| LEVEL=ERROR)?`", to_do)
        assert len(commands) == to_do.count("make ") > 0, "each command names the stack"
        assert {target for target, _ in commands} <= targets
        assert {source for _, source in commands if source} <= {*sources}


def test_name_of_an_alarm_has_stack_alarm_and_source(calm: Stack) -> None:
    names = {alarm["AlarmName"] for alarm in calm.alarms().values()}
    assert {"alarmed JobsFailed alpha", "alarmed JobsFailed team-b", "alarmed SnapshotErrors"} <= names
    assert all(re.fullmatch(r"alarmed \w+( alpha| team-b)?", name) for name in names)


def job_fails(api: SimulatedApi, stack: Stack) -> None:
    running = new_job(CHANCE, api.now - 1000, "succeeded", hours=9)
    api.jobs = [running, *api.jobs]
    stack.invoke(source="alpha")
    stack.aws.advance(HOUR)
    assert_soon(lambda: in_alarm(stack) == set())
    running.finish("failed", api.now - 1)
    stack.invoke(source="alpha")


def job_comes(api: SimulatedApi, stack: Stack) -> None:
    api.jobs = [new_job(CHANCE, api.now - 10 * HOUR, "succeeded", hours=1), *api.jobs]
    stack.invoke(source="alpha")


def job_is_stuck(api: SimulatedApi, stack: Stack) -> None:
    job = new_job(CHANCE, api.now - 2 * DAY, "succeeded", hours=90)
    api.jobs = [job, *api.jobs]
    stack.invoke(source="alpha")
    assert_soon(lambda: "JobStuckalpha" in in_alarm(stack))
    stack.aws.advance(HOUR)  # its creation is no longer reported; it is still stuck


def job_ends(api: SimulatedApi, stack: Stack) -> None:
    api.jobs[0].finish("cancelled", api.now - 1)
    stack.invoke(source="alpha")


def shutdown_is_announced(api: SimulatedApi, stack: Stack) -> None:
    soon = time.strftime("%Y-%m-%d", time.gmtime(api.now + 5 * DAY))
    api.announced = {"gpt-3.5-turbo-0125": soon}
    stack.invoke(source="alpha")


def shutdown_is_withdrawn(api: SimulatedApi, stack: Stack) -> None:
    api.announced = dict.fromkeys(BASE_MODELS)
    stack.aws.advance(4 * DAY)
    for source in ("alpha", "team-b"):
        stack.invoke(source=source)


def run_fails(_api: SimulatedApi, stack: Stack) -> None:
    with pytest.raises(InvocationError):
        stack.invoke(source="no-such-source")


def runs_succeed_again(_api: SimulatedApi, stack: Stack) -> None:
    stack.aws.advance(HOUR)
    for source in ("alpha", "team-b"):
        stack.invoke(source=source)


def snapshots_stop(_api: SimulatedApi, stack: Stack) -> None:
    stack.aws.advance(5 * HOUR)
    stack.invoke(source="team-b")


def snapshots_come_again(_api: SimulatedApi, stack: Stack) -> None:
    stack.invoke(source="alpha")


def time_passes(_api: SimulatedApi, stack: Stack) -> None:
    stack.aws.advance(HOUR)


Happening = Callable[[SimulatedApi, Stack], None]


@pytest.mark.parametrize(
    ("alarm", "happenings", "reports_ok"),
    [
        ("JobsFailedalpha", (job_fails, time_passes), False),
        ("JobCountChangedalpha", (job_comes, time_passes), False),
        ("JobStuckalpha", (job_is_stuck, job_ends), True),
        ("SnapshotErrors", (run_fails, runs_succeed_again), True),
        ("SnapshotMissingalpha", (snapshots_stop, snapshots_come_again), True),
        ("ModelShutdownNearalpha", (shutdown_is_announced, shutdown_is_withdrawn), True),
    ],
)
def test_an_alarm_goes_into_alarm_and_returns_to_ok(
    alarm: str, happenings: tuple[Happening, Happening], reports_ok: bool, calm: Stack, own_api: SimulatedApi
) -> None:
    cause, end = happenings
    name = calm.alarms()[alarm]["AlarmName"]
    inbox = queues.of_topic(calm.aws, calm.outputs["Topic"])
    cause(own_api, calm)
    assert_soon(lambda: in_alarm(calm) == {alarm})
    assert_received(inbox, states(name), ["ALARM"])
    calm.aws.advance(300)
    end(own_api, calm)
    assert_soon(lambda: in_alarm(calm) == set())
    time.sleep(0 if reports_ok else 1)  # time for a message that must not be sent
    assert_received(inbox, states(name), ["OK"] if reports_ok else [])


def assert_received(inbox: Queue, read: Callable[[list[str]], list[str]], expected: list[str]) -> None:
    """Wait until `read` returns what is expected for the messages received so far."""
    messages: list[str] = []

    def found() -> bool:
        messages.extend(message["Message"] for message in inbox.receive())
        return read(messages) == expected

    assert_soon(found)


def states(alarm: str) -> Callable[[list[str]], list[str]]:
    """Return the states of an alarm in the messages."""

    def read(messages: list[str]) -> list[str]:
        reports = [json.loads(message) for message in messages if message.startswith("{")]
        return [report["NewStateValue"] for report in reports if report["AlarmName"] == alarm]

    return read


def starts(messages: list[str]) -> list[str]:
    """Return the plain messages, up to the first bar."""
    return [message.strip('"').split(" | ")[0] for message in messages if not message.startswith("{")]


def test_failures_in_two_runs_send_two_messages(calm: Stack, own_api: SimulatedApi) -> None:
    first, second = (new_job(CHANCE, own_api.now - 1000, "succeeded", hours=9) for _ in range(2))
    own_api.jobs = [first, second, *own_api.jobs]
    calm.invoke(source="team-b")
    inbox = queues.of_topic(calm.aws, calm.outputs["Topic"])
    for job in (first, second):
        job.finish("failed", own_api.now - 1)
        calm.invoke(source="team-b")
    assert_received(
        inbox, starts, [f"Fine-tuning job {job.id} of the source team-b: failed" for job in (first, second)]
    )


def test_message_names_job_source_model_error_and_snapshot(calm: Stack, own_api: SimulatedApi) -> None:
    job = new_job(CHANCE, own_api.now - 1000, "succeeded", hours=9)
    own_api.jobs = [job, *own_api.jobs]
    calm.invoke(source="alpha")
    inbox = queues.of_topic(calm.aws, calm.outputs["Topic"])
    job.failure = ("bad_file", 'Line 7 has no "role" \\ "content".')
    job.finish("failed", own_api.now - 1)
    key = calm.invoke(source="alpha")["key"]
    parts = [
        f"Fine-tuning job {job.id} of the source alpha: failed",
        f"Model: {job.model}",
        "Error: bad_file: Line 7 has no 'role' / 'content'.",  # EventBridge does not escape values
        "If it failed, correct what the error names and start the job again",
        f"At OpenAI: https://platform.openai.com/finetune/{job.id}",
        f"Snapshot: s3://{calm.outputs['SnapshotBucket']}/{key}",
    ]
    assert_received(
        inbox, lambda messages: [text.strip('"') for text in messages if "Model:" in text], [" | ".join(parts)]
    )


def test_only_statuses_in_notify_statuses_send_messages(calm: Stack, own_api: SimulatedApi) -> None:
    gone, *own_api.jobs = own_api.jobs
    own_api.jobs = [new_job(CHANCE, own_api.now - 10 * HOUR, "succeeded", hours=1), *own_api.jobs]
    inbox = queues.of_topic(calm.aws, calm.outputs["Topic"])
    calm.invoke(source="alpha")
    assert_received(inbox, starts, [f"Fine-tuning job {gone.id} of the source alpha: removed"])


def test_announced_shutdown_sends_a_message(calm: Stack, own_api: SimulatedApi) -> None:
    inbox = queues.of_topic(calm.aws, calm.outputs["Topic"])
    own_api.announced = {"gpt-4.1-nano-2025-04-14": "2031-01-14"}
    calm.invoke(source="alpha")
    assert_received(inbox, starts, ["Shutdown of the model gpt-4.1-nano-2025-04-14: 2031-01-14"])


def test_topic_is_not_used_by_another_stack_nor_encrypted_with_the_sns_key(calm: Stack, own_api: SimulatedApi) -> None:
    other = Stack(calm.aws, "neighbour", {"ScheduleState": "DISABLED", "NotificationEmail": "someone@example.com"})
    inbox = queues.of_topic(calm.aws, other.outputs["Topic"])
    own_here = queues.of_topic(calm.aws, calm.outputs["Topic"])
    gone, *own_api.jobs = own_api.jobs
    calm.invoke(source="alpha")
    assert_received(own_here, starts, [f"Fine-tuning job {gone.id} of the source alpha: removed"])
    assert starts([message["Message"] for message in inbox.receive()]) == []
    sns = calm.aws.client("sns")
    subscribed = sns.list_subscriptions_by_topic(TopicArn=other.outputs["Topic"])["Subscriptions"]
    assert ("email", "someone@example.com") in [(entry["Protocol"], entry["Endpoint"]) for entry in subscribed]
    for stack in (calm, other):
        attributes = sns.get_topic_attributes(TopicArn=stack.outputs["Topic"])["Attributes"]
        assert not attributes.get("KmsMasterKeyId", "").startswith("alias/aws/")


def test_snapshots_are_missing_when_the_schedules_are_disabled(aws: EmbeddedAws, own_api: SimulatedApi) -> None:
    stack = Stack(aws, "stopped", {"ScheduleExpression": "rate(1 minute)"})
    stack.put_secret("default", own_api.secret)
    stack.invoke()
    assert_soon(lambda: in_alarm(stack) == set())
    stack.update(ScheduleState="DISABLED")
    aws.advance(5 * HOUR)
    assert_soon(lambda: in_alarm(stack) == {"SnapshotMissingdefault"})


def test_the_dashboard_finds_the_metrics(calm: Stack) -> None:
    text = calm.aws.client("cloudwatch").get_dashboard(DashboardName=calm.outputs["Dashboard"])["DashboardBody"]
    assert not any(unresolved in text for unresolved in ("${", '"Fn::', '"Ref"'))
    body = json.loads(text)
    known = emitted(calm)
    names = {name for _, name, _ in known}
    dimension_sets = {
        frozenset(key for key, _ in dimensions) for namespace, _, dimensions in known if namespace == "FineTuning"
    }
    metrics = [metric for widget in body["widgets"] for metric in widget["properties"]["metrics"]]
    searches = [metric[0]["expression"] for metric in metrics if isinstance(metric[0], dict)]
    assert len(searches) == 4
    functions = [metric[3] for metric in metrics if metric[0] == "AWS/Lambda"]
    assert functions == [calm.outputs["SnapshotFunction"]] * 2
    for search in searches:
        assert 'service="alarmed"' in search
        schema = search.split("{FineTuning,")[1].split("}")[0]
        assert frozenset(schema.split(",")) in dimension_sets
        wanted = [word for word in search.split('"') if word[:3] in {"Job", "Old", "Day"}]
        assert wanted
        assert set(wanted) <= names
