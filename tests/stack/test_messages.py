"""Messages of runs to both topics."""

import json
from typing import Any

import jsonschema
import pytest

from tests.samples import payload
from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.queues import Queue
from tests.sandbox.stack import Stack

# Chat shows messages in this form, and silently drops all others:
# https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
TEXT = {"type": "string", "minLength": 1}
CHAT_SCHEMA = {
    "type": "object",
    "required": ["version", "source", "content"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "1.0"},
        "source": {"const": "custom"},
        "id": TEXT,
        "content": {
            "type": "object",
            "required": ["description"],
            "additionalProperties": False,
            "properties": {
                "textType": {"const": "client-markdown"},
                "title": TEXT,
                "description": TEXT,
                "nextSteps": {"type": "array", "items": TEXT},
                "keywords": {"type": "array", "items": TEXT},
            },
        },
        "metadata": {"type": "object"},
    },
}
UNUSUAL = [
    "\"quoted\" and 'quoted'",
    "two\nlines\tand a tab",
    "back\\slash \\n",
    "🙂 ümläut \u202e",
    "{json: <job>}",
    "x" * 2000,
]
BASE = "gpt-4.1-nano-2025-04-14"


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "messages", {"ScheduleState": "DISABLED"})
    stack.put_secret("default", own_api.secret)
    return stack


@pytest.fixture
def mail(stack: Stack) -> Queue:
    return queues.of_topic(stack.aws, stack.outputs["Topic"])


@pytest.fixture
def chat(stack: Stack) -> Queue:
    return queues.of_topic(stack.aws, stack.outputs["ChatTopic"])


def texts(queue: Queue) -> list[str]:
    return [message["Message"] for message in queue.receive() if "AlarmName" not in message["Message"]]


def chat_messages(queue: Queue) -> list[dict[str, Any]]:
    """Return the content of each message, after a check of its form."""
    messages = [json.loads(text) for text in texts(queue)]
    for message in messages:
        jsonschema.validate(message, CHAT_SCHEMA)
    return [message["content"] for message in messages]


def test_failed_job_sends_a_message_to_both_topics(
    stack: Stack, own_api: SimulatedApi, mail: Queue, chat: Queue
) -> None:
    own_api.jobs = [payload(number, status="running", model=text[:64]) for number, text in enumerate(UNUSUAL, 1)][::-1]
    stack.invoke(source="default")
    own_api.jobs = [
        payload(number, status="failed", model=text[:64], error={"code": "c", "message": text})
        for number, text in enumerate(UNUSUAL, 1)
    ][::-1]
    stack.invoke(source="default")
    messages = chat_messages(chat)
    assert {content["title"] for content in messages} == {"Fine-tuning job of the source default: failed"}
    assert sorted(content["description"].split("\n")[0] for content in messages) == [
        f"Job: ftjob-{number:024}" for number in range(1, len(UNUSUAL) + 1)
    ]
    assert all("start the job again" in content["nextSteps"][0] for content in messages)
    mailed = texts(mail)
    assert len(mailed) == len(UNUSUAL)
    # SNS delivers the text as EventBridge sends it, with its quotation marks:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    assert all(json.loads(text).startswith("Fine-tuning job ftjob-") for text in mailed)
    assert all("start the job again" in text for text in mailed)
    (longest,) = (content["description"] for content in messages if "x" * 100 in content["description"])
    assert longest.count("x") > 1000


def test_job_without_an_error_has_no_empty_error_in_its_message(
    stack: Stack, own_api: SimulatedApi, mail: Queue, chat: Queue
) -> None:
    for status in ("running", "cancelled"):
        own_api.jobs = [payload(100, status=status, finished_at=None)]
        stack.invoke(source="default")
    (content,) = [content for content in chat_messages(chat) if content["title"].endswith(": cancelled")]
    (mailed,) = [text for text in texts(mail) if ": cancelled" in text]
    assert "Error" not in content["description"] + mailed
    assert "look at its events" in mailed
    assert "look at its events" in content["nextSteps"][0]


def test_shutdown_messages_have_no_empty_value(stack: Stack, own_api: SimulatedApi, mail: Queue, chat: Queue) -> None:
    tuned = payload(1, model=BASE, fine_tuned_model=f"ft:{BASE}:acme::abc")
    own_api.jobs, own_api.announced = [tuned], {BASE: None}
    stack.invoke(source="default")
    dates: list[str | None] = ["2031-01-14", "2031-02-14", None]
    for date in dates:
        own_api.announced = {BASE: date}
        stack.invoke(source="default")
    assert [content["title"] for content in chat_messages(chat)] == [
        "Shutdown of a model of the source default: 2031-01-14",
        "Shutdown of a model of the source default: 2031-02-14",
        "A shutdown of the source default is no longer announced",
    ]
    mailed = [json.loads(text).split(" | ") for text in texts(mail)]
    assert [message[0] for message in mailed] == [
        f"Shutdown of the model {BASE}: 2031-01-14",
        f"Shutdown of the model {BASE}: 2031-02-14",
        f"The shutdown of the model {BASE} on 2031-02-14 is no longer announced",
    ]
    assert not any(part.rstrip().endswith(":") for message in mailed for part in message)


@pytest.mark.parametrize("text", ['a "quote"', "two\nlines", "a back \\ slash"])
def test_text_that_breaks_a_message_is_not_delivered(stack: Stack, mail: Queue, chat: Queue, text: str) -> None:
    """As in AWS. So the function must keep such texts out of events."""
    function = stack.aws.client("lambda").get_function(FunctionName=stack.outputs["SnapshotFunction"])
    detail = {"snapshot_source": "default", "job_id": "id", "model": "m", "status": "failed", "snapshot_key": "k"}
    entries = [
        {
            "Source": "fine-tuning.snapshots",
            "DetailType": "Fine-Tuning Job State Change",
            "Detail": json.dumps(detail | {"error": error}),
            "Resources": [function["Configuration"]["FunctionArn"]],
        }
        for error in (text, "harmless")
    ]
    stack.aws.client("events").put_events(Entries=entries)
    (content,) = chat_messages(chat)
    (mailed,) = texts(mail)
    assert "harmless" in content["description"]
    assert "harmless" in mailed


def test_alarms_reach_both_topics(stack: Stack) -> None:
    both = {stack.outputs["Topic"], stack.outputs["ChatTopic"]}
    for name, alarm in stack.alarms().items():
        assert {*alarm["AlarmActions"]} == both, name
        assert {*alarm["OKActions"]} in (both, set()), name
