"""The endpoints beside the list of jobs: single jobs, their newest events, the models."""

import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from snapshot import fields
from snapshot.api.client import Client
from snapshot.api.responses import array, entries
from snapshot.errors import ApiError, OutOfTimeError
from snapshot.models import Models, shutdown_date

_EVENTS_SECONDS = 60  # for all events together: they refine one column, and are not worth the whole invocation
_MODELS_SECONDS = 60  # likewise
_NO_ENDPOINT = (404, 405)
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
    for _, outcome in client.call_all(job, job_ids, client.deadline):
        if isinstance(outcome, OutOfTimeError):
            raise outcome
        if isinstance(outcome, ApiError):
            return None
        retrieved.append(outcome)
    return retrieved


def newest_event_times(client: Client, job_ids: Sequence[str]) -> dict[str, str | ApiError]:
    """Time of each job's newest event, as the table has it, empty without events; or why it could not be had."""
    deadline = client.deadline.within(_EVENTS_SECONDS)

    is_missing = threading.Event()  # so that a server without this endpoint is not asked for it a hundred times

    def newest(job_id: str) -> str:
        if is_missing.is_set():
            return ""
        try:
            reply = client.get(_path(job_id) + "/events", {"limit": 1}, attempts=2, deadline=deadline)
        except ApiError as error:
            if error.status in _NO_ENDPOINT:
                is_missing.set()
            raise
        events = entries(reply)
        time = fields.time(events[0].get("created_at")) if events else ""
        if time is None:
            raise ApiError(f"{reply.label}: data[0].created_at must be Unix time in seconds.")
        return time

    return dict(client.call_all(newest, job_ids, deadline))


def models(client: Client) -> Models:
    """What `GET /models` says; raises ApiError."""
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

    reply = client.get("/models", object_hook=keep, deadline=client.deadline.within(_MODELS_SECONDS))
    without_id = sum(entry is not None for entry in array(reply))
    return Models(shutdown_dates, without_id + len(odd_dates))


def _path(job_id: str) -> str:
    return f"/fine_tuning/jobs/{quote(job_id, safe='')}"
