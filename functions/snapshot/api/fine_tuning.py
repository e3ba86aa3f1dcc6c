"""The endpoints: pages of jobs, single jobs, the jobs' newest events, the models."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import quote

from snapshot.api.client import Client
from snapshot.api.responses import Reply
from snapshot.errors import ApiError
from snapshot.job import format_time, is_time
from snapshot.models import Models

PAGE_SIZE = 100
_UNTOLD = object()
_EVENTS_SECONDS = 60  # for all events together: they refine one column, and are not worth the whole invocation


class Page(NamedTuple):
    """Some jobs, as the API gave them; `label` says where they stand, for error messages."""

    label: str
    jobs: list[dict[str, Any]]
    is_last: bool


def pages(client: Client) -> Iterator[Page]:
    """Every page of `GET /fine_tuning/jobs`, whatever size the server gives them; raises ApiError on a loop."""
    params: dict[str, str | int] = {"limit": PAGE_SIZE}
    seen: set[str] = set()
    number = 1
    while True:
        reply = client.get("/fine_tuning/jobs", params, page=f" page {number}")
        jobs = _data(reply)
        has_more = reply.body.get("has_more")
        if has_more is not None and not isinstance(has_more, bool):
            raise ApiError(f"{reply.label}: has_more must be true or false.")
        is_new = any(job["id"] not in seen for job in jobs)
        if has_more and not is_new:
            raise ApiError(f"{reply.label}: has_more is true, but no job is new: the server repeats itself.")
        # A server that leaves has_more out is asked on until nothing new comes.
        is_last = has_more is False or not is_new
        if jobs:
            yield Page(reply.label, jobs, is_last)
        if is_last:
            return
        seen.update(job["id"] for job in jobs)
        params["after"] = jobs[-1]["id"]
        number += 1


def retrieve(client: Client, job_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Each of some jobs by itself, with a label for error messages; None if the API does not know one any more."""

    def job(job_id: str) -> tuple[str, dict[str, Any]]:
        reply = client.get(_path(job_id))
        if reply.body.get("id") != job_id:
            raise ApiError(f"{reply.label}: the answer is another job, or none.")
        return reply.label, reply.body

    retrieved = []
    for _, outcome in client.call_all(job, job_ids, client.deadline):
        if isinstance(outcome, ApiError):
            if outcome.status == 404:
                return None
            raise outcome
        retrieved.append(outcome)
    return retrieved


def newest_event_times(client: Client, job_ids: Sequence[str]) -> dict[str, str | ApiError]:
    """Time of each job's newest event, as the table has it, empty without events; or why it could not be had."""
    deadline = client.deadline.within(_EVENTS_SECONDS)

    def newest(job_id: str) -> str:
        reply = client.get(_path(job_id) + "/events", {"limit": 1}, attempts=2, deadline=deadline)
        events = _data(reply)
        if not events:
            return ""
        if not is_time(events[0].get("created_at")):
            raise ApiError(f"{reply.label}: data[0].created_at must be Unix time in seconds.")
        return format_time(events[0]["created_at"])

    return dict(client.call_all(newest, job_ids, deadline))


def models(client: Client) -> Models:
    """What `GET /models` says; raises ApiError."""
    shutdown_dates: dict[bytes, bytes | None] = {}

    def keep(entry: dict[str, Any]) -> Any:
        # While the response is parsed: the list has every model ever made, and is not to be held as objects.
        if not isinstance(entry.get("id"), str):
            return entry
        shutdown_date = entry.get("shutdown_date", _UNTOLD)
        if shutdown_date is not _UNTOLD and shutdown_date is not None and not _is_date(shutdown_date):
            return entry
        known = None if shutdown_date is _UNTOLD else (shutdown_date or "").encode()
        shutdown_dates[entry["id"].encode("utf-8", "replace")] = known
        return None

    reply = client.get("/models", object_hook=keep)
    for index, entry in enumerate(_array(reply)):
        if entry is not None:
            raise ApiError(
                f"{reply.label}: data[{index}] must be an object with an id, its shutdown_date YYYY-MM-DD or null."
            )
    return Models(shutdown_dates)


def _path(job_id: str) -> str:
    return f"/fine_tuning/jobs/{quote(job_id, safe='')}"


def _array(reply: Reply) -> list[Any]:
    data = reply.body.get("data")
    if not isinstance(data, list):
        raise ApiError(f"{reply.label}: the answer has no array named data. Is the base_url right?")
    return data


def _data(reply: Reply) -> list[dict[str, Any]]:
    """The objects of a list, each with an id."""
    data = _array(reply)
    for index, entry in enumerate(data):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
            raise ApiError(f"{reply.label}: data[{index}] must be an object whose id is a non-empty string.")
    return data


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
