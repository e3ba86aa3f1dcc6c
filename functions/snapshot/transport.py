"""One GET after another over a session: retries, the run's deadline, and errors that never show the key."""

import json
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests
import urllib3

from snapshot import __version__
from snapshot.credentials import Credentials
from snapshot.errors import ApiError, OutOfTimeError
from snapshot.job import clean

ATTEMPTS = 7  # with the waits below about 30 s of trouble are sat out
CONNECTIONS = 8
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60
_LARGEST_BODY = 16 << 20  # bytes; a page of 100 jobs has some 200 KiB
_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_ADVICE = {
    401: " Put a valid key into the source's secret with `make secret`.",
    403: " Give the key the permission that the message names (for the list of jobs: api.fine_tuning.jobs.read).",
    404: " Is the base_url right? It must end where the API's paths begin, like https://api.openai.com/v1.",
}
# What an API echoes of a key: its beginning, stars, its end.
_MASKED = re.compile(r"\S*\*{2,}\S*|\bsk-\S+")


class Reply(NamedTuple):
    """The JSON object of an answer; `label` names request and answer in error messages."""

    label: str
    body: dict[str, Any]


class _FailedAttemptError(Exception):
    """An attempt that another one may mend."""

    def __init__(self, reason: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class Transport:
    """A session for one run; usable from several threads. `deadline` is in time.monotonic()'s seconds.

    `credentials` may be replaced between calls, when the secret turns out to have been rotated.
    """

    def __init__(self, credentials: Credentials, deadline: float) -> None:
        self.credentials = credentials
        self.deadline = deadline
        self.requests_made = 0
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.auth = self._authorize
        self._session.headers["User-Agent"] = f"fine-tuning-snapshots/{__version__}"
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __enter__(self) -> "Transport":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        page: str = "",
        attempts: int = ATTEMPTS,
        deadline: float | None = None,
    ) -> Reply:
        """The JSON object at `path`; raises ApiError, with `status` if there is one, or OutOfTimeError."""
        label = f"GET {path}{page}"
        deadline = self.deadline if deadline is None else deadline
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(label, path, params, deadline)
            except _FailedAttemptError as failure:
                reason = failure
            if attempt < attempts:
                wait = _wait_seconds(attempt, reason.retry_after)
                if time.monotonic() + wait >= deadline:
                    raise OutOfTimeError(f"{label}: {reason} No time is left for another attempt.", reason.status)
                time.sleep(wait)
        raise ApiError(
            f"{label}: {reason} Given up after {attempts} attempts; the next run tries again.", reason.status
        )

    def _attempt(self, label: str, path: str, params: Mapping[str, str | int] | None, deadline: float) -> Reply:
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError(f"{label}: the invocation's time is used up; nothing was written.")
        with self._lock:
            self.requests_made += 1
        try:
            with self._session.get(
                self.credentials.base_url + path,
                params=params,
                timeout=(min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)),
                allow_redirects=False,  # the key must not travel to another host
                stream=True,
            ) as response:
                label += _request_id(response)
                content = b"".join(_chunks(response, label, deadline))
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _FailedAttemptError(f"{type(error).__name__}: {self._redacted(str(error))}.") from None
        except (requests.RequestException, ValueError) as error:
            raise ApiError(f"{label}: {type(error).__name__}: {self._redacted(str(error))}") from None
        if response.status_code != 200:
            self._refuse(label, response, content)
        return Reply(label, self._object(label, content))

    def _object(self, label: str, content: bytes) -> dict[str, Any]:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            start = self._redacted(content[:60].decode("utf-8", "replace"))
            raise _FailedAttemptError(
                f"the answer is not JSON (its {len(content)} bytes begin with {start!r}).", 200
            ) from None
        if not isinstance(body, dict):
            raise ApiError(f"{label}: the answer is JSON, but not an object. Is the base_url right?", 200)
        if isinstance(body.get("error"), dict):
            raise ApiError(f"{label}: the answer is an error in spite of status 200: {self._error(content)}", 200)
        return body

    def _refuse(self, label: str, response: requests.Response, content: bytes) -> None:
        status = response.status_code
        if 300 <= status < 400:
            raise ApiError(
                f"{label}: redirected (status {status}), which is not followed because the key would travel along. "
                "Put the final address into the secret's base_url.",
                status,
            )
        reason = f"status {status}: {self._error(content)}"
        if status in _RETRIED:
            raise _FailedAttemptError(reason, status, _retry_after_seconds(response.headers.get("Retry-After")))
        raise ApiError(f"{label}: {reason}{_ADVICE.get(status, '')}", status)

    def _error(self, content: bytes) -> str:
        """What the body of an error says: code and message, as far as it has them."""
        try:
            error = json.loads(content)["error"]
            parts = [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
            text = ": ".join(str(part) for part in parts if part)
        except (ValueError, RecursionError, LookupError, TypeError):
            text = content[:200].decode("utf-8", "replace")
        return self._redacted(text) or "no message."

    def _redacted(self, text: str) -> str:
        key = self.credentials.api_key
        text = _MASKED.sub("[redacted]", clean(text.replace(key, "[redacted]")))
        return text if len(text) <= 400 else text[:400] + "…"

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As requests' `auth`: it would let a .netrc file replace a header of the session.
        request.headers["Authorization"] = f"Bearer {self.credentials.api_key}"
        if self.credentials.organization:
            request.headers["OpenAI-Organization"] = self.credentials.organization
        if self.credentials.project:
            request.headers["OpenAI-Project"] = self.credentials.project
        return request


def _chunks(response: requests.Response, label: str, deadline: float) -> Iterator[bytes]:
    # Piece by piece as they arrive: the time-out of a socket starts anew with each, the deadline does not.
    size = 0
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise ApiError(f"{label}: the answer is larger than {_LARGEST_BODY >> 20} MiB. Is the base_url right?")
        if time.monotonic() >= deadline:
            raise OutOfTimeError(f"{label}: the answer had not arrived in full when the invocation's time was used up.")
        yield chunk


def _request_id(response: requests.Response) -> str:
    request_id = clean(response.headers.get("x-request-id", ""))[:100]
    return f" (request id {request_id})" if request_id else ""


def _wait_seconds(attempt: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return min(retry_after, _LONGEST_WAIT_SECONDS)
    return min(_FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret


def _retry_after_seconds(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None if it holds neither."""
    if value is None:
        return None
    try:
        return max(0.0, float(value)) if value.strip().isdigit() else max(0.0, _seconds_until(value))
    except ValueError:
        return None


def _seconds_until(http_date: str) -> float:
    then = parsedate_to_datetime(http_date)
    left: timedelta = then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)
    return left.total_seconds()
