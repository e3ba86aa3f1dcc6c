"""Pages of jobs that are asked for before the pages above them have come, after cursors known from the previous table.

It changes how long a listing takes, not what it gives: a page that cannot be had early is asked for in its turn.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

from snapshot.api.client import Client
from snapshot.api.responses import Reply, entries
from snapshot.errors import ApiError

PATH = "/fine_tuning/jobs"
PAGE_SIZE = 100
_MAX_PAGES = 16  # asked for or waiting to be taken: what bounds the memory, and the requests made in vain


class ReadAhead:
    """The pages after some jobs, a few of them ahead of need; none any more after a status 429."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cursors: Iterator[str] = iter(())
        self._has_cursors = False
        self._asked: dict[str, Future[Reply]] = {}  # by the job before the page, in the list's order
        self._cut_off = ""  # the first job that was left to the next page
        self._is_refused = threading.Event()

    @property
    def is_idle(self) -> bool:
        """Whether it could use cursors, and has had none in this reading."""
        return self._client.paging == "after" and not self._has_cursors and not self._is_refused.is_set()

    def expect(self, job_ids: Sequence[str]) -> None:
        """The jobs with which the pages to come will probably end, in the list's order."""
        self._cursors, self._has_cursors = iter(job_ids), bool(job_ids)
        self._ask()

    def forget(self) -> None:
        """Begin anew, with another reading of the list."""
        self._cursors, self._has_cursors, self._cut_off = iter(()), False, ""
        while self._asked:
            self._asked.popitem()[1].cancel()

    def take(self, job_id: str) -> Reply | None:
        """The page after a job; None if it was not asked for, could not be had, or may be another one by now."""
        cut_off, self._cut_off = self._cut_off, ""
        if job_id not in self._asked:
            return None
        skipped = []
        while (passed := next(iter(self._asked))) != job_id:  # a job that did not come: it is gone, or this one moved
            skipped.append(self._asked.pop(passed))
        page = self._asked.pop(job_id)
        self._ask()
        try:
            reply = self._client.calls.result(_label(job_id), page, self._client.deadline)
            first = next((job["id"] for job in entries(reply)), "")
        except ApiError:
            return None
        # A job may have moved since the page after it was read: other jobs follow it now, which that page has not.
        # Empty it may be because the job was not there yet; in its turn it is what the end looks like.
        is_in_place = first == cut_off if cut_off else first and all(map(self._is_gone, skipped))
        return reply if is_in_place else None

    def until_asked(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A page as far as the first job after which a page was asked for: what follows comes with that."""
        end = next((number for number, job in enumerate(jobs, 1) if job["id"] in self._asked), len(jobs))
        self._cut_off = jobs[end]["id"] if end < len(jobs) else ""
        return jobs[:end]

    def _is_gone(self, page: Future[Reply]) -> bool:
        """Whether the server does not know the job before a page, which was asked for earlier than the one at hand."""
        try:
            self._client.calls.result(f"GET {PATH}", page, self._client.deadline)
        except ApiError as error:
            return error.status == 404
        return False

    def _ask(self) -> None:
        if self._is_refused.is_set():
            return
        for job_id in islice(self._cursors, _MAX_PAGES - len(self._asked)):
            self._asked[job_id] = self._client.calls.start(self._get, job_id)

    def _get(self, job_id: str) -> Reply:
        if self._is_refused.is_set():
            raise ApiError(f"{_label(job_id)}: not asked for ahead, because the server limits the requests.", 429)
        try:
            return self._client.get(PATH, {"limit": PAGE_SIZE, "after": job_id}, page=_page(job_id), attempts=1)
        except ApiError as error:
            if error.status == 429:
                self._is_refused.set()
            raise


def _page(job_id: str) -> str:
    return f" page after {job_id}"


def _label(job_id: str) -> str:
    return f"GET {PATH}{_page(job_id)}"
