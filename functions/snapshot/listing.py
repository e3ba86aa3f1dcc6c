"""From the API and the previous table to the table now.

Pages are read from the newest on, until one ends as the previous table has it; what lies below is carried over, and
only its unfinished jobs are asked for. So the calls grow with what changed, not with all that ever was.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from snapshot import dates, fine_tuning_api, table
from snapshot.errors import ApiError, FieldError
from snapshot.fine_tuning_api import Page
from snapshot.job import Job, parse
from snapshot.previous import Rows, seam_end, unfinished
from snapshot.telemetry import logger
from snapshot.transport import Transport

MAX_RETRIEVED = 100  # unfinished jobs below the pages read; with more of them reading on is cheaper
_PROGRESS_SECONDS = 5


class Listing(NamedTuple):
    """The table's lines, newest job first; whether every page was read; the ids that the API lists as models."""

    lines: list[bytes]
    full: bool
    models: Collection[bytes]


class _Carried(NamedTuple):
    """The part of the previous table that was not read: from where on, and where its unfinished jobs are in it."""

    start: int
    places: dict[str, int]
    read: int  # so many jobs were read above it


def list_jobs(transport: Transport, previous: Sequence[bytes], *, full: bool) -> Listing:
    """Every job that the API gives, with what the lines of the `previous` table know beyond it; raises ApiError.

    With `full` every page is read, whatever the previous table says.
    """
    lines, is_full = _lines(transport, previous, full=full)
    models = dates.fill_shutdown_dates(transport, lines)
    return Listing(lines, is_full, models)


def _lines(transport: Transport, previous: Sequence[bytes], *, full: bool) -> tuple[list[bytes], bool]:
    fresh = dates.FreshLines(Rows(previous))
    carried = _read(transport, fresh, previous, full=full)
    fresh.fill_updated_at(transport)
    lines = list(fresh.lines.values())
    if carried is None:
        table.newest_first(lines)
    else:
        below = list(previous[carried.start :])
        for job_id, place in carried.places.items():
            below[place] = fresh.lines[job_id]
        lines[carried.read :] = below  # the jobs retrieved one by one are in it, in their places
    return lines, carried is None


def _read(transport: Transport, fresh: dates.FreshLines, previous: Sequence[bytes], *, full: bool) -> _Carried | None:
    """Read pages, and retrieve what is unfinished below them; None if every page had to be read."""
    last_created_at = ""
    for page in _with_progress(fine_tuning_api.pages(transport, fresh.lines)):
        jobs = [_parsed(payload, page.label, index) for index, payload in enumerate(page.jobs)]
        for job in jobs:
            fresh.keep(job)  # of a job listed twice the last one counts
        full = full or page.is_last or not _is_newest_first(jobs, last_created_at)
        last_created_at = jobs[-1].created_at
        carried = None if full else _below(previous, jobs, fresh.lines)
        if carried is None:
            continue
        retrieved = fine_tuning_api.retrieve(transport, list(carried.places))
        if retrieved is None:  # a job is gone; where one is, others may be
            full = True
            continue
        for label, payload in retrieved:
            fresh.keep(_parsed(payload, label))
        return carried
    return None


def _below(previous: Sequence[bytes], page: Sequence[Job], read: Collection[str]) -> _Carried | None:
    start = seam_end(previous, page)
    places = None if start is None else unfinished(previous[start:], read)
    if start is None or places is None or len(places) > MAX_RETRIEVED:
        return None
    return _Carried(start, places, len(read))


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
        raise ApiError(f"{label}: {place}{error}. Nothing was written.") from None
