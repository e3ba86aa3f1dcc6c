"""Pages of jobs that are asked for before the pages above them have come, after cursors known from the previous table.

It changes how long a listing takes, not what it gives: a page that cannot be had early is asked for in its turn.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

from snapshot.api.client import Client
from snapshot.api.responses import Reply
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
        self._cursors, self._has_cursors = iter(()), False
        while self._asked:
            self._asked.popitem()[1].cancel()

    def take(self, job_id: str) -> Reply | None:
        """The page after a job; None if it was not asked for, or could not be had."""
        if job_id not in self._asked:
            return None
        while (passed := next(iter(self._asked))) != job_id:  # a job that did not come: it is gone
            self._asked.pop(passed).cancel()
        page = self._asked.pop(job_id)
        self._ask()
        try:
            reply = self._client.calls.result(_label(job_id), page, self._client.deadline)
        except ApiError:
            return None
        # Empty it may be because the job was not there yet; in its turn it is what the end looks like.
        return reply if reply.body.get("data") else None

    def until_asked(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A page as far as the first job after which a page was asked for: what follows comes with that."""
        ends = (number for number, job in enumerate(jobs, 1) if job["id"] in self._asked)
        return jobs[: next(ends, None)]

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
