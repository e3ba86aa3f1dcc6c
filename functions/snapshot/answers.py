"""What an answer of the API is worth: its JSON, or why it cannot be used, told without the key."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests

from snapshot.errors import ApiError
from snapshot.redaction import redacted, without_key

_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_ADVICE = {
    401: " Put a valid key into the source's secret with `make secret`.",
    403: " Give the key the permission that the message names (for the list of jobs: api.fine_tuning.jobs.read).",
    404: " Is the base_url right? It must end where the API's paths begin, like https://api.openai.com/v1.",
}


ObjectHook = Callable[[dict[str, Any]], Any]  # of json.loads: what to keep of each JSON object


class Reply(NamedTuple):
    """The JSON object of an answer; `label` names request and answer in error messages."""

    label: str
    body: dict[str, Any]


class FailedAttemptError(Exception):
    """An attempt that another one may mend, if need be after `retry_after` seconds."""

    def __init__(self, reason: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


def read(
    label: str, response: requests.Response, content: bytearray, key: str, object_hook: ObjectHook | None = None
) -> Reply:
    """The reply in an answer; raises FailedAttemptError or ApiError, whose texts do not hold the `key`."""
    content = without_key(content, key)
    status = response.status_code
    if status == 200:
        return Reply(label, _object(label, content, key, object_hook))
    if 300 <= status < 400:
        raise ApiError(
            f"{label}: redirected (status {status}), which is not followed because the key would travel along. "
            "Put the final address into the secret's base_url.",
            status,
        )
    reason = f"{label}: status {status}: {_error(content, key)}"
    if status in _RETRIED:
        raise FailedAttemptError(reason, status, _retry_after_seconds(response.headers.get("Retry-After")))
    raise ApiError(reason + _ADVICE.get(status, ""), status)


def request_id(response: requests.Response, key: str) -> str:
    """The API's own name of an answer, for its support, as a part of a label; empty if it gives none."""
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
