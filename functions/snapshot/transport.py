"""One GET after another over a session, with retries, within the run's time."""

import random
import threading
import time
from collections.abc import Mapping

import requests
import urllib3

from snapshot import __version__, answers
from snapshot.answers import FailedAttemptError, ObjectHook, Reply
from snapshot.credentials import Credentials
from snapshot.errors import ApiError, OutOfTimeError
from snapshot.redaction import redacted

ATTEMPTS = 7  # with the waits below some 24 s of trouble are sat out
CONNECTIONS = 8
_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_FIRST_WAIT_SECONDS = 0.5
_MAX_RETRY_AFTER_SECONDS = 60
_MAX_BODY_BYTES = 16 << 20  # bytes; a page of 100 jobs has some 200 KiB


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
        # Proxies and certificates of the environment, looked up once: requests would do it anew for every request.
        # Nor is a .netrc file read, whose password would replace the key.
        environment = self._session.merge_environment_settings(credentials.base_url, {}, None, None, None)
        self._session.proxies, self._session.verify = environment["proxies"], environment["verify"]
        if credentials.base_url.startswith("http:"):  # to loopback, which is no proxy's to read
            self._session.proxies = {}
        self._session.trust_env = False
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
        object_hook: ObjectHook | None = None,
    ) -> Reply:
        """The JSON object at `path`; raises ApiError, with `status` if there is one, or OutOfTimeError."""
        label = f"GET {path}{page}"
        deadline = self.deadline if deadline is None else deadline
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(label, path, params, deadline, object_hook)
            except FailedAttemptError as failure:
                reason = failure
            if attempt < attempts:
                wait = _wait_seconds(attempt, reason.retry_after)
                if time.monotonic() + wait >= deadline:
                    raise OutOfTimeError(f"{reason} No time is left for another attempt.", reason.status)
                time.sleep(wait)
        raise ApiError(f"{reason} Given up after {attempts} attempts; the next run tries again.", reason.status)

    def _attempt(
        self,
        label: str,
        path: str,
        params: Mapping[str, str | int] | None,
        deadline: float,
        object_hook: ObjectHook | None,
    ) -> Reply:
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError(f"{label}: the invocation's time is used up; nothing was written.")
        with self._lock:
            self.requests_made += 1
        key = self.credentials.api_key
        try:
            with self._session.get(
                self.credentials.base_url + path,
                params=params,
                timeout=(min(_CONNECT_TIMEOUT_SECONDS, left), min(_READ_TIMEOUT_SECONDS, left)),
                allow_redirects=False,  # the key must not travel to another host
                stream=True,
            ) as response:
                label += answers.request_id(response, key)
                content = _content(response, label, deadline)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise FailedAttemptError(f"{label}: {type(error).__name__}: {redacted(str(error), key)}.") from None
        except (OSError, ValueError) as error:  # of requests, or a bundle of certificates that is not there
            # `from None`: requests shows the headers that it refuses.
            raise ApiError(f"{label}: {type(error).__name__}: {redacted(str(error), key)}") from None
        return answers.read(label, response, content, key, object_hook)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.credentials.api_key}"
        if self.credentials.organization:
            request.headers["OpenAI-Organization"] = self.credentials.organization
        if self.credentials.project:
            request.headers["OpenAI-Project"] = self.credentials.project
        return request


def _content(response: requests.Response, label: str, deadline: float) -> bytearray:
    # Piece by piece as they arrive: the time-out of a socket starts anew with each, the deadline does not.
    content = bytearray()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        content += chunk
        if len(content) > _MAX_BODY_BYTES:
            raise ApiError(f"{label}: the answer is larger than {_MAX_BODY_BYTES >> 20} MiB. Is the base_url right?")
        if time.monotonic() >= deadline:
            raise OutOfTimeError(f"{label}: the answer had not arrived in full when the invocation's time was used up.")
    return content


def _wait_seconds(attempt: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return min(retry_after, _MAX_RETRY_AFTER_SECONDS)
    longest: float = _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
