"""Which pages are read, and which jobs one by one.

Pages are read from the newest on, until they end as the previous table has it; what lies below is carried over, and
only its unfinished jobs are asked for. So the calls grow with what changed, not with all that ever was.

A list of several pages can change while it is read. Newest first or oldest first no job moves, and one reading is the
truth. In another order a job may move from a page to come to one that was read, or take the place from which to go on
with it: then the list is read until two readings in a row agree.
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

_MOST_READINGS = 4
MAX_RETRIEVED = 100  # unfinished jobs below the pages read; with more of them reading on is cheaper
_PROGRESS_SECONDS = 5


class Read(NamedTuple):
    """Lines by id, from pages and one by one; where the lines to carry over begin, None if every page was read.

    `odd_fields` counts the jobs with fields of a wrong type, by the fields' names.
    """

    listed: dict[str, Line]
    retrieved: dict[str, Line]
    start: int | None
    odd_fields: Counter[tuple[str, ...]]
    is_sure: bool = True

    def signature(self) -> str:
        """What two readings have in common if nothing was created, changed or moved between them."""
        told = (f"{job_id} {table.status(line)}\n" for job_id, line in self.listed.items())
        return hashlib.sha256("".join(told).encode("utf-8", "replace")).hexdigest()


def read(client: Client, before: PreviousTable, *, full: bool) -> Read:
    """Read pages, and retrieve what is unfinished below them; raises ApiError, ListChangedError if nothing else helps.

    Where a job may have moved from a page to come to one that was read, two readings in a row have to agree.
    """
    ahead = ReadAhead(client)
    signature = ""
    change: ListChangedError | None = None
    for _ in range(_MOST_READINGS):
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
        del reading  # a long one is not to be held twice
    raise ListChangedError(f"GET {PATH}: the list changed so often that no two readings of it agree.")


def _read(client: Client, before: PreviousTable, ahead: ReadAhead, *, full: bool) -> Read:
    listed: dict[str, Line] = {}
    odd_fields: Counter[tuple[str, ...]] = Counter()
    recent: deque[Job] = deque(maxlen=OVERLAP)
    is_newest_first, is_oldest_first, may_shift, pages_read = True, True, False, 0
    for page in _with_progress(pages(client, ahead)):
        pages_read += 1
        parsed = [_parsed(payload, page.label, f"data[{index}]") for index, payload in enumerate(page.jobs)]
        odd_fields.update(tuple(odd) for _, odd in parsed if odd)
        new = [job for job, _ in parsed if job.id not in listed]
        listed.update((job.id, before.merged(job)) for job, _ in parsed)  # of a job listed twice the last one counts
        times = [job.created_at for job in (*recent, *new)]
        is_newest_first = is_newest_first and all(newer >= older for newer, older in pairwise(times))
        is_oldest_first = is_oldest_first and all(older <= newer for older, newer in pairwise(times))
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
        if replies is None:  # a job is gone, where others may be; or it cannot be had by itself
            full = True
            continue
        odd_fields.update(tuple(odd) for _, odd in below if odd)
        return Read(listed, {job.id: before.merged(job) for job, _ in below}, start, odd_fields)
    # In another order a job that changes may move, and so may one in a list that only looks as if it had an order.
    has_order = (is_newest_first or is_oldest_first) and not may_shift and not before.has_lost(listed)
    is_sure = pages_read <= 1 or has_order
    return Read(listed, {}, None, odd_fields, is_sure)


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
