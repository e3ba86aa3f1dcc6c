"""Which pages are read, and which jobs one by one.

Pages are read from the newest on, until they end as the previous table has it; what lies below is carried over, and
only its unfinished jobs are asked for. So the calls grow with what changed, not with all that ever was.
"""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from snapshot.api import fine_tuning, pages
from snapshot.api.client import Client
from snapshot.api.pages import Page
from snapshot.errors import ApiError, FieldError, ListChangedError
from snapshot.job import Job, Parsed, parse
from snapshot.previous import OVERLAP, PreviousTable
from snapshot.table import Line
from snapshot.telemetry import logger

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


def read(client: Client, before: PreviousTable, *, full: bool) -> Read:
    """Read pages, and retrieve what is unfinished below them; raises ApiError, ListChangedError if to be repeated."""
    listed: dict[str, Line] = {}
    odd_fields: Counter[tuple[str, ...]] = Counter()
    recent: deque[Job] = deque(maxlen=OVERLAP)
    first_ids: list[str] = []
    is_ordered = True
    for page in _with_progress(pages.pages(client)):
        parsed = [_parsed(payload, page.label, f"data[{index}]") for index, payload in enumerate(page.jobs)]
        odd_fields.update(tuple(odd) for _, odd in parsed if odd)
        new = [job for job, _ in parsed if job.id not in listed]
        first_ids = first_ids or [job.id for job in new]
        listed.update((job.id, before.merged(job)) for job, _ in parsed)  # of a job listed twice the last one counts
        is_ordered = is_ordered and _is_newest_first([*recent, *new])
        recent.extend(new)
        start = None if full or page.is_last or not is_ordered else before.overlap_end(recent)
        unfinished = None if start is None else before.unfinished(start, listed)
        if unfinished is None or len(unfinished) > MAX_RETRIEVED:
            continue
        replies = fine_tuning.retrieve(client, unfinished)
        if replies is None:  # a job is gone; where one is, others may be
            full = True
            continue
        below = [_parsed(payload, label) for label, payload in replies]
        odd_fields.update(tuple(odd) for _, odd in below if odd)
        return Read(listed, {job.id: before.merged(job) for job, _ in below}, start, odd_fields)
    # In another order than newest first, a job that changes may move to a page that was read before.
    if not is_ordered and len(listed) > len(first_ids) and pages.first_ids(client) != first_ids:
        raise ListChangedError("GET /fine_tuning/jobs: the first page changed while the next ones were read.")
    return Read(listed, {}, None, odd_fields)


def _is_newest_first(jobs: Sequence[Job]) -> bool:
    return all(newer.created_at >= older.created_at for newer, older in pairwise(jobs))


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
