"""Reading the list: which pages, and which jobs one by one.

Pages are read from the newest on, until one ends with jobs that the previous table has unchanged. All older lines are
carried over, and only their unfinished jobs are retrieved. So the number of requests grows with the changes, not with
the history.

A list of several pages can change while it is read. In a list that is newest first no job moves, and one reading is
enough. In another order a job may move from an unread page to one already read, or the job that ended the last page may
move: then the list is read until two readings in a row agree. That includes a list that is oldest first, because one
that has the last changed jobs at its end may look like it.
"""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from snapshot import table
from snapshot.api import fine_tuning
from snapshot.api.ahead import PATH, ReadAhead
from snapshot.api.client import Client
from snapshot.api.pages import Page, pages
from snapshot.errors import ApiError, FieldError, ListChangedError
from snapshot.job import Job, Parsed, parse
from snapshot.previous import OVERLAP, PreviousTable
from snapshot.table import Line
from snapshot.telemetry import logger

_MAX_READINGS = 4
MAX_RETRIEVED = 100  # unfinished jobs below the pages read; for more of them, reading on is cheaper
_PROGRESS_SECONDS = 5


class Read(NamedTuple):
    """Lines by id, `listed` on pages and `retrieved` one by one.

    `start` is where the previous lines to carry over begin, None if every page was read. `mistyped_fields` counts
    the jobs with fields of a wrong type, by the fields' names. `is_sure` is whether one reading is enough.
    """

    listed: dict[str, Line]
    retrieved: dict[str, Line]
    start: int | None
    mistyped_fields: Counter[tuple[str, ...]]
    is_sure: bool = True

    def signature(self) -> str:
        """Return a hash that is equal for two readings if no job was created, changed or moved between them."""
        jobs = (f"{job_id} {table.status(line)}\n" for job_id, line in self.listed.items())
        return hashlib.sha256("".join(jobs).encode()).hexdigest()


def read(client: Client, before: PreviousTable, *, full: bool) -> Read:
    """Read pages, and retrieve the unfinished jobs below them.

    Raises ApiError; ListChangedError only if the list changes in repeated readings.
    """
    ahead = ReadAhead(client)
    signature = ""
    change: ListChangedError | None = None
    for _ in range(_MAX_READINGS):
        try:
            before.forget_reading()
            reading = _read(client, before, ahead, full=full)
        except ListChangedError as error:
            if change:
                raise
            change, signature = error, ""
            logger.info("The list changed while it was read; reading it again", extra={"cause": str(error)})
            continue
        finally:
            ahead.forget()
        if reading.is_sure or reading.signature() == signature:
            return reading
        signature = reading.signature()
        del reading  # so that two long ones are never in memory
    raise ListChangedError(f"GET {PATH}: the list changed so often that no two readings of it agree.")


def _read(client: Client, before: PreviousTable, ahead: ReadAhead, *, full: bool) -> Read:
    listed: dict[str, Line] = {}
    mistyped_fields: Counter[tuple[str, ...]] = Counter()
    recent: deque[Job] = deque(maxlen=OVERLAP)
    is_newest_first, may_shift, pages_read = True, False, 0
    for page in _with_progress(pages(client, ahead)):
        pages_read += 1
        parsed = [_parsed(payload, page.label, f"data[{index}]") for index, payload in enumerate(page.jobs)]
        mistyped_fields.update(tuple(names) for _, names in parsed if names)
        new = [job for job, _ in parsed if job.id not in listed]
        listed.update((job.id, before.merged(job)) for job, _ in parsed)  # if a job is listed twice, the last counts
        times = [job.created_at for job in (*recent, *new)]
        is_newest_first = is_newest_first and all(newer >= older for newer, older in pairwise(times))
        may_shift = may_shift or page.may_shift
        recent.extend(new)
        if full and is_newest_first and not page.is_last and ahead.can_expect and (end := before.overlap_end(recent)):
            ahead.expect(before.page_ends(end, ahead.page_size))
        if full or page.is_last or not is_newest_first or (may_shift and pages_read > 1):
            continue
        start = before.overlap_end(recent)
        unfinished = None if start is None else before.unfinished(start, listed, MAX_RETRIEVED)
        if unfinished is None:
            continue
        replies = fine_tuning.retrieve(client, unfinished)
        try:
            below = [_parsed(payload, label) for label, payload in replies or ()]
        except ApiError:
            replies = None
        if replies is None:  # a job was removed, as others may be, or it cannot be retrieved
            full = True
            continue
        mistyped_fields.update(tuple(names) for _, names in below if names)
        return Read(listed, {job.id: before.merged(job) for job, _ in below}, start, mistyped_fields)
    # Without an order a changed job may move. A missing unfinished job shows that the list has no reliable order.
    is_sure = pages_read <= 1 or (is_newest_first and not may_shift and not before.has_lost(listed))
    return Read(listed, {}, None, mistyped_fields, is_sure)


def _with_progress(page_by_page: Iterator[Page]) -> Iterator[Page]:
    last_logged = time.monotonic()
    for number, page in enumerate(page_by_page, 1):
        if time.monotonic() - last_logged > _PROGRESS_SECONDS:
            last_logged = time.monotonic()
            logger.info("Listing jobs", extra={"pages_read": number})
        yield page


def _parsed(payload: Any, label: str, place: str = "") -> Parsed:
    try:
        return parse(payload)
    except FieldError as error:
        raise ApiError(f"{label}: {place}{error.field} {error.problem}.") from None
