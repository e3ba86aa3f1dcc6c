"""An HTTP response as JSON, or as an error without the key."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests

from snapshot.api.redaction import redacted, without_key
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_ADVICE = {
    401: " Put a valid key into the source's secret with `make secret`.",
    403: " Give the key the permission that the message names (for the list of jobs: api.fine_tuning.jobs.read).",
    404: " Is the base_url right? It must end where the API's paths begin, like https://api.openai.com/v1.",
}
_MAX_BODY_BYTES = 16 << 20  # bytes; a page of 100 jobs has some 200 KiB

ObjectHook = Callable[[dict[str, Any]], Any]  # of json.loads: what to keep of each JSON object


class Reply(NamedTuple):
    """The JSON object of a response; `label` names request and response in error messages."""

    label: str
    body: dict[str, Any]


class FailedAttemptError(Exception):
    """A failed attempt worth retrying, not before `retry_after` seconds."""

    def __init__(self, reason: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


def read(
    label: str, response: requests.Response, body: bytearray, key: str, object_hook: ObjectHook | None = None
) -> Reply:
    """The reply in a response's content; raises FailedAttemptError or ApiError, whose texts do not hold the `key`."""
    body = without_key(body, key)
    status = response.status_code
    if status == 200:
        return Reply(label, _object(label, body, key, object_hook))
    if 300 <= status < 400:
        raise ApiError(
            f"{label}: redirected (status {status}), which is not followed because the key would travel along. "
            "Put the final address into the secret's base_url.",
            status,
        )
    reason = f"{label}: status {status}: {_error(body, key)}"
    if status in _RETRIED:
        raise FailedAttemptError(reason, status, _retry_after_seconds(response.headers.get("Retry-After")))
    raise ApiError(reason + _ADVICE.get(status, ""), status)


def array(reply: Reply) -> list[Any]:
    """What a list holds."""
    data = reply.body.get("data")
    if not isinstance(data, list):
        raise ApiError(f"{reply.label}: the answer has no array named data. Is the base_url right?")
    return data


def entries(reply: Reply) -> list[dict[str, Any]]:
    """The objects of a list, each with an id."""
    data = array(reply)
    for index, entry in enumerate(data):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
            raise ApiError(f"{reply.label}: data[{index}] must be an object whose id is a non-empty string.")
    return data


def content(label: str, response: requests.Response, deadline: Deadline) -> bytearray:
    """The body of a response, decompressed; raises ApiError if it is too large, OutOfTimeError at the deadline."""
    # Piece by piece as they arrive: the time-out of a socket starts anew with each, the deadline does not.
    body = bytearray()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise ApiError(f"{label}: the answer is larger than {_MAX_BODY_BYTES >> 20} MiB. Is the base_url right?")
        if deadline.is_over:
            raise OutOfTimeError(f"{label}: the answer had not arrived in full when the invocation's time was used up.")
    return body


def request_id(response: requests.Response, key: str) -> str:
    """The API's own name of a response, for its support, as a part of a label; empty if it gives none."""
    value = redacted(response.headers.get("x-request-id", ""), key, 100)
    return f" (request id {value})" if value else ""


def _retry_after_seconds(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None if it holds neither."""
    if value is None:
        return None
    try:
        return float(value) if value.strip().isdecimal() else max(0.0, _seconds_until(value))
    except (ValueError, OverflowError):  # the latter for years and zones beyond all calendars
        return None


def _seconds_until(http_date: str) -> float:
    then = parsedate_to_datetime(http_date)
    left: timedelta = then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)
    return left.total_seconds()


def _object(label: str, content: bytearray, key: str, object_hook: ObjectHook | None) -> dict[str, Any]:
    try:
        body = json.loads(content, object_hook=object_hook)
    except (ValueError, RecursionError):
        start = redacted(content, key, 60)
        reason = f"{label}: the answer is not JSON (its {len(content)} bytes begin with {start!r})."
        raise FailedAttemptError(reason, 200) from None
    if not isinstance(body, dict):
        raise ApiError(f"{label}: the answer is JSON, but not an object. Is the base_url right?", 200)
    # (A job has a field of this name too, and an id.)
    if isinstance(body.get("error"), dict) and not body.keys() & {"data", "id"}:
        raise ApiError(f"{label}: the answer is an error in spite of status 200: {_error(content, key)}", 200)
    return body


def _error(content: bytearray, key: str) -> str:
    """What the body of an error says: code and message, as far as it has them."""
    text: str | bytearray
    try:
        error = json.loads(content)["error"]
        parts = [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
        text = ": ".join(str(part) for part in parts if part)
    except (ValueError, RecursionError, LookupError, TypeError):
        text = content
    return redacted(text, key) or "no message."
