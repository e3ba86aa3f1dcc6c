"""Read-ahead: requests for pages whose cursor can be predicted, sent before the pages above have arrived."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice, takewhile
from typing import Any

from snapshot.api.client import Client
from snapshot.api.responses import Reply, entries
from snapshot.errors import ApiError

PATH = "/fine_tuning/jobs"
PAGE_SIZE = 100

_MAX_WAITING = 16  # pages that were requested and not yet taken: each needs about 0.5 MiB of memory
_MAX_MISSES = 2  # in a row; after that, the predicted cursors are wrong
_MAX_LOSS = 0.04  # wasted requests per page taken, besides two; above that, too much of the list has changed
_AHEAD = " page read ahead"


class ReadAhead:
    """The pages of a run that follow predicted jobs, in the order of the list.

    It saves time and never changes the result: a page that failed, or may have changed, is requested again in its
    turn. Read-ahead stops when it wastes too many requests.
    """

    def __init__(self, client: Client) -> None:
        self.page_size = 1  # jobs on the longest page so far
        self._client = client
        self._is_on = client.paging == "after"
        self._ends: Iterator[str] = iter(())
        self._asked: dict[str, Future[Reply]] = {}  # by the id of the job before the page
        self._cut_off = ""  # the first job that `until_known` left to the next page
        self._misses, self._taken, self._lost = 0, 0, 0.0

    @property
    def can_expect(self) -> bool:
        """Whether `expect` would have an effect."""
        return self._is_on and not self._asked

    def expect(self, ends: Iterable[str]) -> None:
        """Read ahead the pages after these jobs: the last job read, and those that will probably end the next pages."""
        self._ends = iter(ends)
        self._ask()

    def take(self, after: object, number: int) -> Reply | None:
        """Return the page after a job, labelled with its number; None if it has to be requested in its turn."""
        cut_off, self._cut_off = self._cut_off, ""
        if after not in self._asked:
            self._misses += 1
            if self._misses == _MAX_MISSES:
                self.forget()
            return None
        self._misses = 0
        skipped = [*takewhile(lambda job_id: job_id != after, self._asked)]
        self._drop(skipped)
        future = self._asked.pop(str(after))
        self._ask()
        try:
            reply = self._client.calls.result(f"GET {PATH} page {number}", future, self._client.deadline)
            first = next((job["id"] for job in entries(reply)), "")
        except ApiError as error:
            self._is_on &= error.status != 429
            self._pause()  # the page must not wait behind others, and a server in trouble needs less load
            return None
        # If predicted jobs before this one are missing, this job may have moved, so its page may leave out others.
        # An empty page may be older than the job. In its turn it would mean the end of the list.
        is_in_place = first == cut_off if cut_off else first and not skipped
        if not is_in_place:
            self._lost += 1
            return None
        self._taken += 1
        return reply._replace(label=reply.label.replace(_AHEAD, f" page {number}", 1))

    def until_known(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cut a page after the first job whose next page was already requested: that page holds the rest."""
        self.page_size = max(self.page_size, len(jobs))
        end = next((number for number, job in enumerate(jobs[:-1], 1) if job["id"] in self._asked), len(jobs))
        if end < len(jobs):
            self._cut_off = jobs[end]["id"]
            self._lost += (len(jobs) - end) / self.page_size
        return jobs[:end]

    def forget(self) -> None:
        """Drop all predictions and requests, as at the end of a reading."""
        self._ends = iter(())
        self._drop([*self._asked])
        self._misses, self._cut_off = 0, ""

    def _ask(self) -> None:
        if self._lost > 2 + _MAX_LOSS * self._taken:
            self._is_on = False
            self._pause()
        for job_id in islice(self._ends, _MAX_WAITING - len(self._asked)):
            self._asked[job_id] = self._client.calls.start(
                self._client.get, PATH, {"limit": PAGE_SIZE, "after": job_id}, page=_AHEAD, attempts=1
            )

    def _pause(self) -> None:
        """Start no more requests until the next `expect`; cancel those that have not started."""
        self._ends = iter(())
        self._drop([job_id for job_id, future in self._asked.items() if future.cancel()])

    def _drop(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            self._lost += not self._asked.pop(job_id).cancel()
