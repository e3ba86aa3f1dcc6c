"""The fine-tuning API: pages of jobs, the jobs' newest events, the models' announced ends. It knows no AWS."""

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import quote

from snapshot.answers import Reply
from snapshot.errors import ApiError
from snapshot.job import format_time, is_time
from snapshot.parallel import outcomes
from snapshot.transport import Transport

PAGE_SIZE = 100
_UNTOLD = object()
_EVENTS_SECONDS = 60  # for all events together: they refine one column, and are not worth the whole invocation


class Page(NamedTuple):
    """Some jobs, as the API gave them; `label` says where they stand, for error messages."""

    label: str
    jobs: list[dict[str, Any]]
    is_last: bool


def pages(transport: Transport, known: Collection[str]) -> Iterator[Page]:
    """Every page of `GET /fine_tuning/jobs`, whatever size the server gives them; raises ApiError on a loop.

    `known` are the ids of the jobs read so far: the caller adds each page's before it asks for the next one.
    """
    params: dict[str, str | int] = {"limit": PAGE_SIZE}
    number = 1
    while True:
        reply = transport.get("/fine_tuning/jobs", params, page=f" page {number}")
        jobs = _data(reply)
        has_more = reply.body.get("has_more")
        if has_more is not None and not isinstance(has_more, bool):
            raise ApiError(f"{reply.label}: has_more must be true or false.")
        is_new = any(job["id"] not in known for job in jobs)
        if has_more and not is_new:
            raise ApiError(
                f"{reply.label}: has_more is true, but no job is new: the server repeats itself. "
                "Nothing was written; the next run tries again."
            )
        # A server that leaves has_more out is asked on until nothing new comes.
        is_last = has_more is False or not is_new
        if jobs:
            yield Page(reply.label, jobs, is_last)
        if is_last:
            return
        params["after"] = jobs[-1]["id"]
        number += 1


def retrieve(transport: Transport, job_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Each of some jobs by itself, with a label for error messages; None if the API does not know one any more."""

    def job(job_id: str) -> tuple[str, dict[str, Any]]:
        reply = transport.get(_path(job_id))
        if reply.body.get("id") != job_id:
            raise ApiError(f"{reply.label}: the answer is another job, or none.")
        return reply.label, reply.body

    retrieved = []
    for _, outcome in outcomes(job, job_ids, transport.deadline):
        if isinstance(outcome, ApiError):
            if outcome.status == 404:
                return None
            raise outcome
        retrieved.append(outcome)
    return retrieved


def newest_event_times(transport: Transport, job_ids: Sequence[str]) -> dict[str, str | ApiError]:
    """Time of each job's newest event, as the table has it, empty without events; or why it could not be had."""
    deadline = min(transport.deadline, time.monotonic() + _EVENTS_SECONDS)

    def newest(job_id: str) -> str:
        reply = transport.get(_path(job_id) + "/events", {"limit": 1}, attempts=2, deadline=deadline)
        events = _data(reply)
        if not events:
            return ""
        if not is_time(events[0].get("created_at")):
            raise ApiError(f"{reply.label}: data[0].created_at must be Unix time in seconds.")
        return format_time(events[0]["created_at"])

    return dict(outcomes(newest, job_ids, deadline))


def shutdown_dates(transport: Transport) -> dict[bytes, bytes | None]:
    """Announced end (YYYY-MM-DD) of every model of `GET /models`: empty if none is, None if the server does not say."""
    ends: dict[bytes, bytes | None] = {}

    def keep(entry: dict[str, Any]) -> Any:
        # While the answer is parsed: the list has every model ever made, and is not to be held as objects.
        if not isinstance(entry.get("id"), str):
            return entry
        end = entry.get("shutdown_date", _UNTOLD)
        if end is not _UNTOLD and end is not None and not _is_date(end):
            return entry
        ends[entry["id"].encode("utf-8", "replace")] = None if end is _UNTOLD else (end or "").encode()
        return None

    reply = transport.get("/models", object_hook=keep)
    for index, entry in enumerate(_array(reply)):
        if entry is not None:
            raise ApiError(
                f"{reply.label}: data[{index}] must be an object with an id, its shutdown_date YYYY-MM-DD or null."
            )
    return ends


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
