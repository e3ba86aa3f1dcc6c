"""An HTTP response as JSON, or as an error without the secrets."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests

from snapshot.api import advice
from snapshot.api.redaction import redacted
from snapshot.api.retries import FailedAttemptError, is_transient, retry_after_seconds
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

ObjectHook = Callable[[dict[str, Any]], Any]  # as in json.loads: returns what to keep of each JSON object


class Reply(NamedTuple):
    """The JSON object in a response; `label` names request and response in error messages."""

    label: str
    body: dict[str, Any]


def read(
    label: str,
    response: requests.Response,
    body: bytearray,
    secrets: Sequence[str],
    object_hook: ObjectHook | None = None,
) -> Reply:
    """Return the reply in a response; raises FailedAttemptError or ApiError, whose texts do not hold the secrets."""
    status = response.status_code
    if status == 200:
        return Reply(label, _object(label, response, body, secrets, object_hook))
    if status == 304:
        raise ApiError(
            f"{label}: the response is not usable: status 304 (not modified) has no content. "
            "Is there a cache in between, or a conditional header in the secret's default_headers?",
            status,
        )
    if 300 <= status < 400:
        raise ApiError(
            f"{label}: redirected (status {status}). Redirects are not followed, so that no other server gets the key. "
            f"{_target(response, secrets)}Put the final address into the secret's base_url.",
            status,
        )
    error = advice.read(body, secrets)
    reason = f"{label}: status {status}: {error.text}"
    if is_transient(status) and not error.concerns_billing:
        raise FailedAttemptError(reason, status, retry_after_seconds(response.headers))
    raise ApiError(advice.append_to(reason, status, error, response.url), status)


def array(reply: Reply) -> list[Any]:
    """Return the array in a list response; raises ApiError if there is none."""
    data = reply.body.get("data")
    if data is None and "data" in reply.body:  # servers written in Go send null for an empty list
        return []
    if not isinstance(data, list):
        raise ApiError(f"{reply.label}: the response has no array named data. Is the base_url right?")
    return data


def entries(reply: Reply) -> list[dict[str, Any]]:
    """Return the objects in a list response; raises ApiError if one has no id."""
    data = array(reply)
    for index, entry in enumerate(data):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
            raise ApiError(f"{reply.label}: data[{index}] must be an object whose id is a non-empty string.")
    return data


def content(label: str, response: requests.Response, deadline: Deadline, most: int) -> bytearray:
    """Return a response's body, decompressed; raises ApiError over `most` bytes, OutOfTimeError at the deadline."""
    # Check the deadline after each chunk: the socket's time-out starts again with each of them.
    body = bytearray()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > most and response.status_code != 200:
            return body[:most]  # enough for the message of an error, which may be worth a retry
        if len(body) > most:
            raise ApiError(f"{label}: the response is larger than {most >> 20} MiB. Is the base_url right?", 200)
        if deadline.is_over:
            raise OutOfTimeError(f"{label}: the response had not arrived in full when the invocation's time ran out.")
    return body


def request_id(response: requests.Response, secrets: Sequence[str]) -> str:
    """Return the API's request id, which its support asks for, as a part of a label; empty if it sends none."""
    value = redacted(response.headers.get("x-request-id", ""), secrets, 100)
    return f" (request id {value})" if value else ""


def _target(response: requests.Response, secrets: Sequence[str]) -> str:
    """Return the target of a redirect on the same host as a sentence, without query and user: they may hold secrets."""
    location = response.headers.get("Location", "")
    try:
        target = urlsplit(urljoin(response.url, location))
        host, _ = target.hostname, target.port  # raises ValueError if the port is not a number
    except ValueError:
        return ""
    if not location or host != urlsplit(response.url).hostname:
        return ""
    host = target.netloc.rpartition("@")[2]
    return f"The target is {redacted(f'{target.scheme}://{host}{target.path}', secrets)}. "


def _parsed(content: bytearray, object_hook: ObjectHook | None) -> Any:
    try:
        return json.loads(content, object_hook=object_hook)
    except ValueError as error:
        if "Exceeds the limit" not in str(error):
            raise
        # One number of thousands of digits, in one field of one job, is no reason to refuse all other jobs.
        return json.loads(content, object_hook=object_hook, parse_int=lambda digits: int(digits[:40]))


def _object(
    label: str,
    response: requests.Response,
    content: bytearray,
    secrets: Sequence[str],
    object_hook: ObjectHook | None,
) -> dict[str, Any]:
    try:
        body = _parsed(content, object_hook)
    except RecursionError:
        raise ApiError(f"{label}: the response is JSON that is nested too deeply.", 200) from None
    except ValueError:
        start = redacted(content, secrets, 60)
        reason = f"{label}: the response is not JSON (its {len(content)} bytes begin with {start!r})."
        raise FailedAttemptError(reason, 200) from None
    if not isinstance(body, dict):
        raise ApiError(f"{label}: the response is JSON, but not an object. Is the base_url right?", 200)
    # A job also has a field `error`, but it has an id.
    if body.get("error") and "id" not in body:
        error = advice.read(content, secrets)
        reason = f"{label}: the response is an error despite status 200: {error.text}"
        raise ApiError(advice.append_to(reason, 200, error, response.url), 200)
    return body
