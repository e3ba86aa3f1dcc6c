"""The list of jobs, page by page: complete, or an error. Servers differ in how they page and mark the last page."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from snapshot import fields
from snapshot.api.ahead import PAGE_SIZE, PATH, ReadAhead
from snapshot.api.client import Client
from snapshot.api.responses import Reply, entries
from snapshot.errors import ApiError, ListChangedError

Params = dict[str, str | int]

_FIRST: dict[str, Params] = {
    "after": {"limit": PAGE_SIZE},
    "page": {"page": 0, "page_size": PAGE_SIZE},
    "none": {},
}
_TOTALS = ("total", "total_count", "total_items")
_CURE = (
    'If the server does not page with `after`, set "paging" in the secret: "paging": "page" if it numbers its pages '
    'with page and page_size, "paging": "none" if one response holds all jobs.'
)


class Page(NamedTuple):
    """Jobs as the API sent them; `label` names the page in error messages.

    `may_shift`: if a job is removed, another one may move from an unread page to a page already read, and be missed.
    """

    label: str
    jobs: list[dict[str, Any]]
    is_last: bool
    may_shift: bool


def pages(client: Client, ahead: ReadAhead) -> Iterator[Page]:
    """Yield every page of `GET /fine_tuning/jobs`, whatever its size; taken from `ahead` if it has the page.

    Raises ApiError if a response is not a list of jobs, ListChangedError if the list would be partial or endless.
    """
    listing = _Listing(client.paging)
    while True:
        reply = ahead.take(listing.params.get("after"), listing.number)
        page = listing.take(reply or _get(client, listing.params, listing.number), ahead)
        if not page.jobs and listing.ends_with_nothing:
            listing.check_end(_get(client, listing.previous_params, listing.number - 1))
        if page.jobs:
            yield page
        if page.is_last:
            return


class _Listing:
    """The jobs and totals read so far; `params` are those of the next request, for the page with this `number`."""

    def __init__(self, paging: str) -> None:
        self.params = self.previous_params = _FIRST[paging]
        self.number = 1
        self._paging = paging
        self._seen: set[str] = set()
        self._totals: list[int] = []
        self._longest = 0
        self._has_more: bool | None = None  # on the previous page

    def take(self, reply: Reply, ahead: ReadAhead) -> Page:
        """Return the page in a reply, up to the point from which `ahead` has the rest.

        Raises ApiError or ListChangedError if the list cannot become complete.
        """
        jobs, has_more = entries(reply), _has_more(reply)
        self._totals += _total(reply)
        if has_more is not False:
            jobs = ahead.until_known(jobs)
        is_new = any(job["id"] not in self._seen for job in jobs)
        self._seen.update(job["id"] for job in jobs)
        self._check(reply.label, jobs, has_more, is_new=is_new)
        # A short page is the last of numbered pages. Without has_more and numbers, requests go on to an empty page.
        is_short = self._paging == "page" and (self._is_complete or len(jobs) < self._longest)
        is_last = self._paging == "none" or not is_new or has_more is False or (has_more is None and is_short)
        # The smallest total, because jobs may be created and removed while the pages are read.
        if is_last and self._totals and len(self._seen) < min(self._totals):
            counted = f"counts {min(self._totals)} jobs, but sent {len(self._seen)}"
            raise ListChangedError(f"{reply.label}: the server {counted}. {_CURE}")
        if not is_last:
            self._longest, self._has_more = max(self._longest, len(jobs)), has_more
            self.previous_params = self.params
            self.params = self.params | ({"page": self.number} if "page" in self.params else {"after": jobs[-1]["id"]})
            self.number += 1
        return Page(reply.label, jobs, is_last, may_shift=self._paging == "page" and not self._totals)

    @property
    def ends_with_nothing(self) -> bool:
        """Whether an empty page is the only sign of the end; an unknown cursor may also give an empty page."""
        return "after" in self.params and self._has_more is None

    def check_end(self, reply: Reply) -> None:
        """Raise ListChangedError if the last page, requested again, ends with another job or holds a new one."""
        ids = _ids(entries(reply))
        if ids[-1:] != [self.params["after"]] or not self._seen.issuperset(ids):
            raise ListChangedError(f"{reply.label}: the last job of this page has moved or was removed.")

    @property
    def _is_complete(self) -> bool:
        return self._totals[-1:] == [len(self._seen)]

    def _check(self, label: str, jobs: list[dict[str, Any]], has_more: bool | None, *, is_new: bool) -> None:
        if (has_more or self._has_more) and not is_new:
            message = f"{label}: has_more is true, but no job is new: the server repeats itself. {_CURE}"
            raise ListChangedError(message) if jobs else ApiError(message)
        if has_more and self._paging == "none":
            raise ApiError(f'{label}: has_more is true, so one response does not hold all jobs. Remove "paging".')
        is_cursor = _ids(jobs) == [self.params.get("after")]
        if has_more is None and jobs and not is_new and not is_cursor and not self._is_complete:
            raise ListChangedError(f"{label}: the server repeats jobs that it sent before. {_CURE}")
        # A job may have moved from an unread page to one already read.
        if self._paging == "page" and self._totals[-2:] != sorted(self._totals[-2:]):
            raise ListChangedError(f"{label}: jobs were removed while the numbered pages were read.")


def _get(client: Client, params: Params, number: int) -> Reply:
    page = f" page {number}"
    future = client.calls.start(client.get, PATH, params, page=page)
    try:
        return client.calls.result(f"GET {PATH}{page}", future, client.deadline)
    except ApiError as error:
        if error.status == 404 and "after" in params:
            raise ListChangedError(str(error), 404) from None
        raise


def _has_more(reply: Reply) -> bool | None:
    has_more = reply.body.get("has_more")
    if has_more is not None and not isinstance(has_more, bool):
        raise ApiError(f"{reply.label}: has_more must be true or false.")
    return has_more


def _total(reply: Reply) -> list[int]:
    """Return the server's own count of all jobs, in a list; empty if it sends none."""
    totals = (fields.count(reply.body.get(name)) for name in _TOTALS)
    return [int(total) for total in totals if total][:1]


def _ids(jobs: list[dict[str, Any]]) -> list[str]:
    return [job["id"] for job in jobs]
