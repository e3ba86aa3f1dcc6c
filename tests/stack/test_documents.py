"""Commands within a line of a document, patterns of rules, and sample events are valid."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.documents import EVENTS, documents, examples, run, section
from tests.samples import payload
from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import Stack
from tests.stack.operator import Operator

# A mention such as `aws s3 cp` has no option.
COMMANDS = sorted({*re.findall(r"`(aws [^`]+ --[^`]+)`", "".join(path.read_text() for path in documents()))})
SECRET = "documented/default"
SENT_WITHIN_SECONDS = 10


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "documented", {"ScheduleState": "DISABLED"})
    stack.put_secret("default", own_api.secret)
    return stack


@pytest.fixture(scope="module")
def key(aws: EmbeddedAws) -> str:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    assert isinstance(arn, str)
    return arn


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split(" --")[0])
def test_command_within_a_line_is_accepted(command: str, stack: Stack, key: str, tmp_path: Path) -> None:
    if "restore-secret" in command:
        stack.aws.client("secretsmanager").delete_secret(SecretId=SECRET)
    policy = stack.aws.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    (tmp_path / "policy.json").write_text(policy)
    for name, value in {"fine-tuning/default": SECRET, "KEY": key, "NAME": "STACK JobsFailed default"}.items():
        command = re.sub(rf"(?<![A-Z]){name}", value, command)
    run(stack.aws, "bash", "-c", f"cd {tmp_path} && {command.replace('STACK', stack.name)}")


def test_an_alarm_that_is_set_by_hand_sends_a_message(stack: Stack) -> None:
    (command,) = re.findall(r"`(aws cloudwatch set-alarm-state [^`]+)`", section("Messages", EVENTS))
    mail, chat = (queues.of_topic(stack.aws, stack.outputs[topic]) for topic in ("Topic", "ChatTopic"))
    stack.aws.client("cloudwatch").set_alarm_state(
        AlarmName=f"{stack.name} SnapshotErrors", StateValue="OK", StateReason="before the test"
    )
    run(stack.aws, "bash", "-c", command.replace("STACK", stack.name))
    for queue in (mail, chat):
        assert any('"NewStateValue":"ALARM"' in text.replace('": "', '":"') for text in messages(queue))


def messages(queue: queues.Queue) -> list[str]:
    deadline = time.monotonic() + SENT_WITHIN_SECONDS
    while not (received := queue.receive()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [message["Message"] for message in received]


def test_own_rule_receives_the_events_of_a_status(stack: Stack, own_api: SimulatedApi) -> None:
    (pattern,) = examples(section("The events that the function sends", EVENTS), "json")
    own_api.jobs = [payload(2, status="running"), payload(1, status="running")]
    stack.invoke()
    queue = queues.of_bus(stack.aws, pattern=pattern)
    own_api.jobs = [payload(2, status="succeeded"), payload(1, status="failed")]
    stack.invoke()
    assert [event["detail"]["status"] for event in queue.receive()] == ["succeeded"]


@pytest.mark.parametrize("event", sorted(EVENTS.parent.glob("*.json")), ids=lambda path: path.name)
def test_sample_event_is_accepted(event: Path, operator: Operator) -> None:
    summary = json.loads(operator.make("invoke", f"EVENT={event}").output)
    assert summary["source"] == "default"
    assert summary["full_listing"] or event.name != "full.json"
