"""Queues that receive what a topic or an event bus of the embedded AWS sends."""

import json
import uuid
from typing import Any

from tests.sandbox.aws import EmbeddedAws

OUR_EVENTS = json.dumps({"source": ["fine-tuning.snapshots"]})


class Queue:
    """A queue to which an AWS service may send; `arn` is its ARN."""

    def __init__(self, aws: EmbeddedAws, service: str) -> None:
        self._sqs = aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex}")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        self.arn = attributes["QueueArn"]
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": self.arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})

    def receive(self) -> list[Any]:
        """Return the JSON of each message that has arrived since the last call."""
        received = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                received.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return received


def of_topic(aws: EmbeddedAws, topic_arn: str) -> Queue:
    """Return a queue that receives what a topic sends: objects with Subject and Message."""
    queue = Queue(aws, "sns.amazonaws.com")
    aws.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue.arn)
    return queue


def of_bus(aws: EmbeddedAws, bus: str = "default", pattern: str = OUR_EVENTS) -> Queue:
    """Return a queue that receives the events on a bus that match a pattern; by default the project's."""
    queue = Queue(aws, "events.amazonaws.com")
    events, rule = aws.client("events"), f"rule-{uuid.uuid4().hex}"
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue.arn}])
    return queue
