"""The endpoints besides the list of jobs: single jobs, their newest events, and models."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any
from urllib.parse import quote

from snapshot import fields
from snapshot.api.client import Client
from snapshot.api.responses import array, entries
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError
from snapshot.models import Models, shutdown_date

MAX_EVENT_CALLS = 100  # per run
_EVENTS_SECONDS = 60  # for all events together: they improve one column only, which must not take the whole invocation
_MODELS_SECONDS = 60  # for the same reason
_NO_EVENTS = (401, 403, 404, 405)  # statuses of a server without this endpoint, or of a key without access to it
# In a list of models only objects with one of these keys are kept: the list, an error, and Azure's `deprecation`.
# One shared object replaces all others, because millions of them fit into a response.
_KEPT = {"data", "error", "inference"}
_WITHOUT_ID: dict[str, Any] = {"": None}


def retrieve(client: Client, job_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Return each job, retrieved one by one, with a label for error messages; None if the API fails for one of them.

    Raises OutOfTimeError.
    """

    def job(job_id: str) -> tuple[str, dict[str, Any]]:
        reply = client.get(_path(job_id))
        if reply.body.get("id") != job_id:
            raise ApiError(f"{reply.label}: the response is another job, or not a job.")
        return reply.label, reply.body

    retrieved = []
    futures = {job_id: client.calls.start(job, job_id) for job_id in job_ids}
    for outcome in client.calls.results(futures, client.deadline).values():
        if isinstance(outcome, OutOfTimeError):
            raise outcome
        if isinstance(outcome, ApiError):
            return None
        retrieved.append(outcome)
    return retrieved


class NewestEvents:
    """The newest events of at most MAX_EVENT_CALLS jobs per run; no more requests after a first refusal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._deadline = client.deadline
        self._calls_left = MAX_EVENT_CALLS
        self._asked: dict[str, Future[str]] = {}
        self._is_refused = threading.Event()  # set when the server has no such endpoint: one request shows it

    def ask(self, job_ids: Iterable[str]) -> None:
        """Request the newest event of each job; a new request replaces an earlier one for the same job."""
        self._deadline = self._client.deadline.within(_EVENTS_SECONDS)
        for job_id in job_ids:
            self._asked.pop(job_id, None)
            if self._calls_left:
                self._calls_left -= 1
                self._asked[job_id] = self._client.calls.start(self._newest, job_id, self._deadline)

    def __contains__(self, job_id: str) -> bool:
        """Return whether a job's newest event was requested."""
        return job_id in self._asked

    def times(self, job_ids: Iterable[str]) -> dict[str, str | ApiError]:
        """Return the time of each requested event in the table's format, or its error; empty for a job without events.

        Jobs without a request are left out.
        """
        asked = {job_id: self._asked[job_id] for job_id in job_ids if job_id in self._asked}
        return self._client.calls.results(asked, self._deadline)

    def _newest(self, job_id: str, deadline: Deadline) -> str:
        if self._is_refused.is_set():
            return ""
        try:
            reply = self._client.get(_path(job_id) + "/events", {"limit": 1}, attempts=2, deadline=deadline)
        except ApiError as error:
            if error.status in _NO_EVENTS:
                self._is_refused.set()
            raise
        events = entries(reply)
        time = fields.time(events[0].get("created_at")) if events else ""
        if time is None:
            raise ApiError(f"{reply.label}: data[0].created_at must be Unix time in seconds.")
        return time


def models(client: Client) -> Callable[[], Models]:
    """Request the models, and return a function that waits for them and raises ApiError."""
    deadline = client.deadline.within(_MODELS_SECONDS)
    future = client.calls.start(_models, client, deadline)
    return partial(client.calls.result, "GET /models", future, deadline)


def _models(client: Client, deadline: Deadline) -> Models:
    shutdown_dates: dict[bytes, bytes | None] = {}
    unreadable_dates = 0

    def keep(entry: dict[str, Any]) -> Any:
        nonlocal unreadable_dates
        # Called for each object while the response is parsed: the list of every model ever made is too long to keep.
        model = entry.get("id")
        if not isinstance(model, str):
            return entry if entry.keys() & _KEPT else _WITHOUT_ID
        try:
            date = shutdown_date(entry)
        except ValueError:
            unreadable_dates += 1
            date = None
        name = model.encode("utf-8", "replace")
        if date is not None or name not in shutdown_dates:  # an id may occur twice, also in a nested object
            shutdown_dates[name] = None if date is None else date.encode()
        return None

    reply = client.get("/models", object_hook=keep, deadline=deadline)
    without_id = sum(entry is not None for entry in array(reply))
    return Models(shutdown_dates, without_id + unreadable_dates)


def _path(job_id: str) -> str:
    return f"/fine_tuning/jobs/{quote(job_id, safe='')}"
