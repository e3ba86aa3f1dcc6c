"""Rules of EventBridge that MiniStack does not enforce."""

import json
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json
from ministack.services import eventbridge

_PUT_EVENTS_BYTES = 256 * 1024


def close_gaps() -> None:
    """Enforce `events:source` in policies, the size of PutEvents, and JSON in messages to topics."""
    _sources_of_events_in_policies()
    _put_events_of_limited_size()
    _messages_that_are_json()


def _sources_of_events_in_policies() -> None:
    """Evaluate the condition key `events:source` of PutEvents in policies."""
    context_of = iam_actions.request_tag_context

    def with_sources(service: str, action: str, body: bytes, *rest: Any) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, *rest)
        if action == "events:PutEvents":
            context["events:source"] = [entry.get("Source") for entry in json.loads(body)["Entries"]]
        return context

    iam_actions.request_tag_context = with_sources


def _put_events_of_limited_size() -> None:
    """Refuse a PutEvents whose entries are too large together; MiniStack limits only their number.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html says how to compute the size; the
    message is the one in https://github.com/awslabs/aws-service-catalog-puppet/issues/563.
    """
    put_events = eventbridge._put_events

    def put_limited(data: dict[str, Any], *rest: Any, **options: Any) -> Any:
        texts = (
            text
            for entry in data.get("Entries", ())
            for text in (entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *entry.get("Resources", ()))
        )
        if sum(len((text or "").encode()) for text in texts) >= _PUT_EVENTS_BYTES:
            reason = "Total size of the entries in the request is over the limit."
            return error_response_json("ValidationException", reason, 400)
        return put_events(data, *rest, **options)

    eventbridge._put_events = put_limited


def _messages_that_are_json() -> None:
    """Drop messages to topics that are not JSON; MiniStack sends them.

    EventBridge does not escape the values that it fills into a template, and requires JSON afterwards:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    dispatch = eventbridge._dispatch_to_sns

    def dispatch_json(topic_arn: str, message: str) -> None:
        json.loads(message)  # the caller logs the ValueError and continues
        dispatch(topic_arn, message)

    eventbridge._dispatch_to_sns = dispatch_json
