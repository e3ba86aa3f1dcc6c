"""GET requests to the API, with retries and a deadline."""

import re
import threading
from collections.abc import Mapping, Sequence

import requests
import urllib3

from snapshot.api import connections, responses
from snapshot.api.calls import Calls
from snapshot.api.redaction import redacted, without_secrets
from snapshot.api.responses import ObjectHook, Reply
from snapshot.api.retries import FailedAttemptError, wait_seconds
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

_ATTEMPTS = 7  # with the waits between them, enough for an outage of about 24 s
MAX_AT_ONCE = 8  # calls, each with its own connection
_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_MAX_BODY_BYTES = 4 << 20  # a page of 100 jobs has about 200 KiB; parsed `{}` need 28 times their size in memory
_MAX_BODY_BYTES_OF = {"/models": 16 << 20}  # lists every model ever made; little of it is kept
_PRIVATE_PARTS = re.compile(r"\?\S*|(?<=//)[^/@\s]*@")  # of a URL: the query, and the user of a proxy's address


class Client:
    """An HTTP session for one run, safe to use from several threads; `calls` are the calls in its own threads."""

    def __init__(self, credentials: Credentials, deadline: Deadline) -> None:
        self.deadline = deadline
        self.calls = Calls(MAX_AT_ONCE)
        self.requests_made = 0
        self._credentials = credentials
        self._secrets, self._data_secrets = credentials.secrets, credentials.data_secrets
        self._lock = threading.Lock()
        self._adapter = connections.Adapter(MAX_AT_ONCE)
        self._session = connections.session(credentials, self._adapter)
        self._is_closed = threading.Event()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self.calls.end(self._adapter.cut)
        self._session.close()

    @property
    def paging(self) -> str:
        """How the server pages its list: `after`, `page` or `none`."""
        return self._credentials.paging

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
        """Return the JSON object at `path`; raises ApiError, with `status` if there is one, or OutOfTimeError."""
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
                self._is_closed.wait(seconds)
        raise ApiError(f"{_sentence(reason)} Given up after {attempts} attempts.", reason.status)

    def _attempt(
        self,
        label: str,
        path: str,
        params: Mapping[str, str | int] | None,
        deadline: Deadline,
        object_hook: ObjectHook | None,
    ) -> Reply:
        secrets, left = self._secrets, deadline.seconds_left
        if not left or self._is_closed.is_set():
            raise OutOfTimeError(f"{label}: the invocation's time has run out.")
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
        except (OSError, ValueError) as error:  # raised by requests, or for a missing certificate bundle
            # `from None`: the message of requests shows the headers that it refuses.
            raise ApiError(f"{label}: {_shown(error, secrets)}") from None
        content = without_secrets(content, self._data_secrets if response.status_code == 200 else secrets)
        return responses.read(label, response, content, secrets, object_hook)


def _sentence(reason: Exception) -> str:
    return f"{str(reason).removesuffix('.')}."


def _shown(error: Exception, secrets: Sequence[str]) -> str:
    """Return an error of requests or urllib3 with its type, without the parts of a URL that may hold secrets."""
    cause = connections.cause(error)
    return f"{type(error).__name__}: {redacted(_PRIVATE_PARTS.sub('', cause), secrets)}"
