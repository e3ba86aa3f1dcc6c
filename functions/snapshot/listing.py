"""From the API and the table before to the table now."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from snapshot import fine_tuning_api, table
from snapshot.errors import ApiError, FieldError
from snapshot.fine_tuning_api import Page
from snapshot.job import TERMINAL, Job, parse
from snapshot.telemetry import logger
from snapshot.transport import Transport

MOST_EVENT_CALLS = 100  # a run
_PROGRESS_SECONDS = 5


class Listing(NamedTuple):
    """The table's lines, newest job first, and the ids of the models that the API lists (empty if not asked)."""

    lines: list[bytes]
    full: bool
    models: Collection[str]


def list_jobs(transport: Transport, previous: Sequence[bytes]) -> Listing:
    """Every job that the API gives, with what the lines of the `previous` table know beyond it; raises ApiError."""
    before = {table.job_id(line): line for line in previous}
    models: dict[str, str | None] | None = None
    lines: dict[str, bytes] = {}
    undated: set[str] = set()  # ids of the jobs whose updated_at nothing tells yet
    for page in _with_progress(fine_tuning_api.pages(transport)):
        jobs = _parsed(page)
        if models is None and any(job.fine_tuned_model for job in jobs):
            models = _models(transport)
        for job in (_completed(job, before.get(job.id), models or {}) for job in jobs):
            lines[job.id] = table.to_line(job)  # a job listed twice: the last one counts
            (undated.discard if job.updated_at else undated.add)(job.id)
    if undated:
        _date(transport, lines, undated, before)
    ordered = list(lines.values())
    table.newest_first(ordered)
    return Listing(ordered, full=True, models=models or {})


def _with_progress(pages: Iterator[Page]) -> Iterator[Page]:
    told = time.monotonic()
    for number, page in enumerate(pages, 1):
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            logger.info("Listing jobs", extra={"pages_read": number})
        yield page


def _parsed(page: Page) -> list[Job]:
    jobs = []
    for index, payload in enumerate(page.jobs):
        try:
            jobs.append(parse(payload))
        except FieldError as error:
            raise ApiError(f"{page.label}: data[{index}]{error}. Nothing was written.") from None
    return jobs


def _models(transport: Transport) -> dict[str, str | None]:
    try:
        return fine_tuning_api.shutdown_dates(transport)
    except ApiError as error:
        logger.warning(
            "The models' shutdown dates cannot be read; the last known ones stay", extra={"cause": str(error)}
        )
        return {}


def _completed(job: Job, line: bytes | None, models: Mapping[str, str | None]) -> Job:
    """Add what the payload does not tell: the model's end, and the time of a change seen before."""
    if job.fine_tuned_model:
        end = _shutdown_date(job, models)
        if end is None:
            end = table.from_line(line).shutdown_date if line else ""
        job = job._replace(shutdown_date=end)
    if not job.updated_at and line and job.status in TERMINAL:
        seen = table.from_line(line)
        # A time that equals created_at was only a stand-in.
        if seen.status == job.status and seen.updated_at > job.created_at:
            job = job._replace(updated_at=seen.updated_at)
    return job


def _shutdown_date(job: Job, models: Mapping[str, str | None]) -> str | None:
    """The announced end of a job's model, else of its base; empty if none is announced, None if nobody says."""
    told = [end for end in map(models.get, (job.fine_tuned_model, job.base_model)) if end is not None]
    return next(filter(None, told), "") if told else None


def _date(transport: Transport, lines: dict[str, bytes], undated: set[str], before: Mapping[str, bytes]) -> None:
    """Give the `undated` jobs their newest event's time, or the time known before, or that of their creation."""
    jobs = sorted((table.from_line(lines[job_id]) for job_id in undated), key=lambda job: job.created_at, reverse=True)
    times = fine_tuning_api.newest_event_times(transport, [job.id for job in jobs[:MOST_EVENT_CALLS]])
    failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
    if failures:
        logger.warning(
            "The newest event of some jobs cannot be read; their updated_at stays",
            extra={"jobs": len(failures), "cause": str(failures[0])},
        )
    for job in jobs:
        known = before.get(job.id)
        outcome = times.get(job.id)
        updated_at = outcome if isinstance(outcome, str) else ""
        updated_at = updated_at or (table.from_line(known).updated_at if known else "") or job.created_at
        lines[job.id] = table.to_line(job._replace(updated_at=updated_at))
