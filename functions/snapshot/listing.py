"""From the API and the previous table to the table now.

Pages are read from the newest on, until one ends as the previous table has it; what lies below is carried over, and
only its unfinished jobs are asked for. So the calls grow with what changed, not with all that ever was.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from snapshot import table
from snapshot.api import fine_tuning
from snapshot.api.client import Client
from snapshot.api.fine_tuning import Page
from snapshot.errors import ApiError, FieldError
from snapshot.job import Job, parse
from snapshot.models import NO_MODELS, Models
from snapshot.previous import PreviousTable
from snapshot.table import Line
from snapshot.telemetry import logger

MAX_RETRIEVED = 100  # unfinished jobs below the pages read; with more of them reading on is cheaper
MAX_EVENT_CALLS = 100  # a run
_PROGRESS_SECONDS = 5


class Listing(NamedTuple):
    """The table's lines, newest job first; whether every page was read; what the API says of its models."""

    lines: list[Line]
    full: bool
    models: Models


def list_jobs(client: Client, previous: Sequence[Line], *, full: bool) -> Listing:
    """Every job that the API gives, with what the lines of the `previous` table know beyond it; raises ApiError.

    With `full` every page is read, whatever the previous table says.
    """
    lines, is_full = _lines(client, previous, full=full)
    models = _models(client, lines)
    for index, line in enumerate(lines):  # in place: a long table is not to be held twice
        lines[index] = models.dated(line)
    return Listing(lines, is_full, models)


def _lines(client: Client, previous: Sequence[Line], *, full: bool) -> tuple[list[Line], bool]:
    """The lines but for their shutdown dates; whether every page was read."""
    before = PreviousTable(previous)
    read, retrieved, start = _read(client, before, full=full)
    _fill_updated_at(client, before, read, retrieved)
    lines = list(read.values())
    if start is None:
        table.newest_first(lines)
    else:
        carried = previous[start:]
        lines += [retrieved.get(table.job_id(line), line) for line in carried] if retrieved else carried
    return lines, start is None


class _Read(NamedTuple):
    """Lines by id, from pages and one by one; where the lines to carry over begin, None if every page was read."""

    listed: dict[str, Line]
    retrieved: dict[str, Line]
    start: int | None


def _read(client: Client, before: PreviousTable, *, full: bool) -> _Read:
    """Read pages, and retrieve what is unfinished below them."""
    read: dict[str, Line] = {}
    last_created_at = ""
    for page in _with_progress(fine_tuning.pages(client)):
        jobs = [_parsed(payload, page.label, index) for index, payload in enumerate(page.jobs)]
        read.update((job.id, before.merged(job)) for job in jobs)  # of a job listed twice the last one counts
        full = full or page.is_last or not _is_newest_first(jobs, last_created_at)
        last_created_at = jobs[-1].created_at
        start = None if full else before.overlap_end(jobs)
        unfinished = None if start is None else before.unfinished(start, read)
        if unfinished is None or len(unfinished) > MAX_RETRIEVED:
            continue
        replies = fine_tuning.retrieve(client, unfinished)
        if replies is None:  # a job is gone; where one is, others may be
            full = True
            continue
        retrieved = (_parsed(payload, label) for label, payload in replies)
        return _Read(read, {job.id: before.merged(job) for job in retrieved}, start)
    return _Read(read, {}, None)


def _fill_updated_at(client: Client, before: PreviousTable, *tables: dict[str, Line]) -> None:
    """Give jobs without `updated_at` the time of their newest event, or the one known before, or their creation."""
    undated = [
        (table.from_line(line), lines)
        for lines in tables
        for line in lines.values()
        if not table.field(line, table.UPDATED_AT)
    ]
    undated.sort(key=lambda found: found[0].created_at, reverse=True)
    asked = [job.id for job, _ in undated[:MAX_EVENT_CALLS]]
    times = fine_tuning.newest_event_times(client, asked) if asked else {}
    failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
    if failures:
        logger.warning(
            "The newest event of some jobs cannot be read; their updated_at stays",
            extra={"jobs": len(failures), "cause": str(failures[0])},
        )
    for job, lines in undated:
        outcome = times.get(job.id)
        known = before.find(job)
        known_time = table.from_line(known).updated_at if known else ""
        updated_at = (outcome if isinstance(outcome, str) else "") or known_time or job.created_at
        lines[job.id] = table.to_line(job._replace(updated_at=updated_at))


def _models(client: Client, lines: Sequence[Line]) -> Models:
    """What the API says of its models; nothing if no job has made one, or if it cannot be read."""
    if not any(table.field(line, table.FINE_TUNED_MODEL) for line in lines):
        return NO_MODELS
    try:
        models = fine_tuning.models(client)
    except ApiError as error:
        logger.warning(
            "The models' shutdown dates cannot be read; the last known ones stay", extra={"cause": str(error)}
        )
        return NO_MODELS
    if not models.tell_dates:
        logger.warning("The API's models have no shutdown_date; the last known ones stay")
    return models


def _is_newest_first(jobs: Sequence[Job], last_created_at: str) -> bool:
    times = [last_created_at or jobs[0].created_at, *(job.created_at for job in jobs)]
    return all(newer >= older for newer, older in pairwise(times))


def _with_progress(pages: Iterator[Page]) -> Iterator[Page]:
    last_logged = time.monotonic()
    for number, page in enumerate(pages, 1):
        if time.monotonic() - last_logged > _PROGRESS_SECONDS:
            last_logged = time.monotonic()
            logger.info("Listing jobs", extra={"pages_read": number})
        yield page


def _parsed(payload: Any, label: str, index: int | None = None) -> Job:
    try:
        return parse(payload)
    except FieldError as error:
        place = "" if index is None else f"data[{index}]"
        raise ApiError(f"{label}: {place}{error.field} {error.problem}.") from None
