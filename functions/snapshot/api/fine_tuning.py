"""The endpoints beside the list of jobs: single jobs, their newest events, the models."""

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

MAX_EVENT_CALLS = 100  # a run
_EVENTS_SECONDS = 60  # for all events together: they refine one column, and are not worth the whole invocation
_MODELS_SECONDS = 60  # likewise
_NO_EVENTS = (401, 403, 404, 405)  # for this key, or from this server
# Of the objects in a list of models: the list itself, an error, and Azure's `deprecation`. All others are one and the
# same, because millions of them would fit into a response.
_KEPT = {"data", "error", "inference"}
_ODD: dict[str, Any] = {"": None}


def retrieve(client: Client, job_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Each of some jobs by itself, with a label for error messages; None if one of them cannot be had."""

    def job(job_id: str) -> tuple[str, dict[str, Any]]:
        reply = client.get(_path(job_id))
        if reply.body.get("id") != job_id:
            raise ApiError(f"{reply.label}: the response is another job, or none.")
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
    """The newest events of jobs, asked for ahead of need: of 100 jobs a run, and of none after a first refusal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._deadline = client.deadline
        self._calls_left = MAX_EVENT_CALLS
        self._asked: dict[str, Future[str]] = {}
        self._is_refused = threading.Event()  # so that a server without this endpoint is not asked a hundred times

    def ask(self, job_ids: Iterable[str]) -> None:
        """Ask for the newest event of each job, though it was asked for before; what it was then is forgotten."""
        self._deadline = self._client.deadline.within(_EVENTS_SECONDS)
        for job_id in job_ids:
            self._asked.pop(job_id, None)
            if self._calls_left:
                self._calls_left -= 1
                self._asked[job_id] = self._client.calls.start(self._newest, job_id, self._deadline)

    def __contains__(self, job_id: str) -> bool:
        """Whether a job's newest event was asked for."""
        return job_id in self._asked

    def times(self, job_ids: Iterable[str]) -> dict[str, str | ApiError]:
        """Time of each newest event that was asked for, as the table has it, empty without events; or the error."""
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
    """Ask what `GET /models` says; what is returned waits for it, and raises ApiError."""
    deadline = client.deadline.within(_MODELS_SECONDS)
    future = client.calls.start(_models, client, deadline)
    return partial(client.calls.result, "GET /models", future, deadline)


def _models(client: Client, deadline: Deadline) -> Models:
    shutdown_dates: dict[bytes, bytes | None] = {}
    odd_dates: list[str] = []

    def keep(entry: dict[str, Any]) -> Any:
        # While the response is parsed: the list has every model ever made, and is not to be held as objects.
        model = entry.get("id")
        if not isinstance(model, str):
            return entry if entry.keys() & _KEPT else _ODD
        try:
            date = shutdown_date(entry)
        except ValueError:
            odd_dates.append(model)
            date = None
        name = model.encode("utf-8", "replace")
        if date is not None or name not in shutdown_dates:  # named again, perhaps inside another
            shutdown_dates[name] = None if date is None else date.encode()
        return None

    reply = client.get("/models", object_hook=keep, deadline=deadline)
    without_id = sum(entry is not None for entry in array(reply))
    return Models(shutdown_dates, without_id + len(odd_dates))


def _path(job_id: str) -> str:
    return f"/fine_tuning/jobs/{quote(job_id, safe='')}"
