"""GET requests to the API, with retries, within the run's time."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import requests
import urllib3

from snapshot.api import connections, responses
from snapshot.api.redaction import redacted
from snapshot.api.responses import ObjectHook, Reply
from snapshot.api.retries import FailedAttemptError, wait_seconds
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

Result = TypeVar("Result")

_ATTEMPTS = 7  # with the waits below some 24 s of trouble are sat out
_CONNECTIONS = 8
_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
# Of JSON that is nothing but `{}` objects take 28 times its size. A page of 100 jobs has some 200 KiB.
_MAX_BODY_BYTES = 4 << 20
_MAX_BODY_BYTES_OF = {"/models": 16 << 20}  # every model ever made, of which little is kept


class Client:
    """A session for one run, usable from several threads."""

    def __init__(self, credentials: Credentials, deadline: Deadline) -> None:
        self.deadline = deadline
        self.paging = credentials.paging
        self.requests_made = 0
        self._credentials = credentials
        self._secrets = [credentials.api_key]
        self._lock = threading.Lock()
        self._session = connections.session(credentials, _CONNECTIONS)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        page: str = "",
        attempts: int = _ATTEMPTS,
        deadline: Deadline | None = None,
        object_hook: ObjectHook | None = None,
    ) -> Reply:
        """The JSON object at `path`; raises ApiError, with `status` if there is one, or OutOfTimeError."""
        label = f"GET {path}{page}"
        deadline = deadline or self.deadline
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(label, path, params, deadline, object_hook)
            except FailedAttemptError as failure:
                reason = failure
            if attempt < attempts:
                seconds = wait_seconds(attempt, reason.retry_after)
                if seconds >= deadline.seconds_left:
                    raise OutOfTimeError(f"{_sentence(reason)} No time is left for another attempt.", reason.status)
                time.sleep(seconds)
        raise ApiError(f"{_sentence(reason)} Given up after {attempts} attempts.", reason.status)

    def call_all(
        self, call: Callable[[str], Result], job_ids: Sequence[str], deadline: Deadline
    ) -> list[tuple[str, Result | ApiError]]:
        """What `call` returns for each job, several at a time, or its ApiError; OutOfTimeError for a late one."""
        pool = ThreadPoolExecutor(_CONNECTIONS)
        try:
            futures = [pool.submit(call, job_id) for job_id in job_ids]
            wait(futures, timeout=deadline.seconds_left)
        finally:
            # Late ones are left alone: no time-out of a socket ends a response whose headers trickle in.
            pool.shutdown(wait=False, cancel_futures=True)
        found: list[tuple[str, Result | ApiError]] = []
        for job_id, future in zip(job_ids, futures, strict=True):
            if not future.done() or future.cancelled():
                found.append((job_id, OutOfTimeError(f"The response for the job {job_id} did not arrive in time.")))
            elif isinstance(error := future.exception(), ApiError):
                found.append((job_id, error))
            else:
                found.append((job_id, future.result()))
        return found

    def _attempt(
        self,
        label: str,
        path: str,
        params: Mapping[str, str | int] | None,
        deadline: Deadline,
        object_hook: ObjectHook | None,
    ) -> Reply:
        secrets, left = self._secrets, deadline.seconds_left
        if not left:
            raise OutOfTimeError(f"{label}: the invocation's time is used up.")
        with self._lock:
            self.requests_made += 1
        try:
            with self._session.get(
                self._credentials.base_url + path,
                params=params,
                timeout=(min(_CONNECT_TIMEOUT_SECONDS, left), min(_READ_TIMEOUT_SECONDS, left)),
                allow_redirects=False,  # the key must not travel to another host
                stream=True,
            ) as response:
                label += responses.request_id(response, secrets)
                most = _MAX_BODY_BYTES_OF.get(path, _MAX_BODY_BYTES)
                content = responses.content(label, response, deadline, most)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise FailedAttemptError(f"{label}: {_shown(error, secrets)}.") from None
        except (OSError, ValueError) as error:  # of requests, or a bundle of certificates that is not there
            # `from None`: requests shows the headers that it refuses.
            raise ApiError(f"{label}: {_shown(error, secrets)}") from None
        return responses.read(label, response, content, secrets, object_hook)


def _sentence(reason: Exception) -> str:
    return f"{str(reason).removesuffix('.')}."


def _shown(error: Exception, secrets: Sequence[str]) -> str:
    return f"{type(error).__name__}: {redacted(str(error), secrets)}"
