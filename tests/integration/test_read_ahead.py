"""A full listing with a previous table requests several pages at once, and gives the table of a sequential listing."""

import asyncio
import random
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from snapshot import table
from snapshot.api.client import Client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError
from snapshot.listing import list_jobs
from snapshot.table import Line

from tests.fuzz import examples
from tests.integration.test_faults import TRANSIENT
from tests.samples import payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi

JOBS = "/fine_tuning/jobs"
SIZE = 20  # jobs on a page


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    """Return ended jobs with these numbers, newest first."""
    return [payload(number) for number in range(first, last - 1, -1)]


def known(api: SimulatedApi, client: Client, pages: int) -> list[Line]:
    """Return the table of an account with this many full pages; the requests for it are not counted."""
    api.jobs = numbered(pages * SIZE, 1)
    lines = list_jobs(client, [], full=True).lines
    api.largest_page = SIZE
    api.requests.clear()
    api.most_at_once = 0
    return lines


def listed(client: Client, previous: list[Line]) -> list[str]:
    return [table.job_id(line) for line in list_jobs(client, previous, full=True).lines]


def ids(api: SimulatedApi) -> list[str]:
    return [job.id for job in api.jobs]


def fault_of_page(pages_left: int, handler: Handler, times: int = 1) -> Fault:
    """Return a fault of the page with which `pages_left` pages remain, itself included."""
    return Fault(JOBS, handler, times, query=f"after={payload(pages_left * SIZE + 1)['id']}")


@pytest.fixture
def api() -> Any:
    with SimulatedApi([]) as api:
        yield api


def test_eight_pages_are_requested_at_once(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 30)
    api.before_page = lambda: setattr(
        api, "waits_for", 9
    )  # after the first page, eight more requests must arrive before a response
    assert listed(client, lines) == ids(api)
    assert len(api.requests) == 30


@pytest.mark.parametrize("failing", [0, 5])
def test_at_most_eight_requests_are_made_at_once(failing: int, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 40)
    api.latency = 0.02
    handler = api_faults.status(500, Retry_After_Ms="10")
    api.faults = [fault_of_page(number, handler) for number in range(36, 36 - failing, -1)]
    assert listed(client, lines) == ids(api)
    assert len(api.requests) == 40 + failing
    assert api.most_at_once == 8


def test_at_most_sixteen_pages_wait(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 40)
    expected = 1 + 1 + 16  # the first page, the one that the listing waits for, and those that were requested
    arrived: list[int] = []

    async def late(request: web.Request) -> web.StreamResponse:
        await api.have_arrived(expected)
        await asyncio.sleep(0.3)  # more requests would arrive in this time
        arrived.append(len(api.requests))
        return await api_faults.status(500)(request)

    api.faults = [fault_of_page(39, late)]
    assert listed(client, lines) == ids(api)
    assert arrived == [expected]


FAILING = {what: handler for what, handler in TRANSIENT.items() if "429" not in what} | {
    "404": api_faults.status(404, "No such job."),
    "no jobs": api_faults.body({"data": []}),
    "no list": api_faults.body({"has_more": True}),
}


@pytest.mark.parametrize("what", FAILING)
def test_page_read_ahead_that_fails_is_requested_again(what: str, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 12)
    api.faults = [fault_of_page(7, FAILING[what])]
    assert listed(client, lines) == ids(api)
    assert len(api.requests) == 13


def test_429_stops_reading_ahead(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 60)
    api.latency = 0.005
    api.faults = [fault_of_page(57, api_faults.status(429, Retry_After_Ms="10"))]

    def count() -> None:
        if len(api.requests) == 30:  # requests that were sent have arrived by then
            api.most_at_once = 0

    api.before_page = count
    assert listed(client, lines) == ids(api)
    assert api.most_at_once == 1
    assert len(api.requests) == 61


def test_refused_key_is_sent_with_one_request(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 12)
    api.key = "sk-another-0123456789"
    with pytest.raises(ApiError, match=r"page 1 .*status 401"):
        listed(client, lines)
    assert len(api.requests) == 1


@pytest.mark.parametrize("paging", ["page", "none"])
def test_other_paging_is_not_read_ahead(paging: str, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 12)
    api.paging, api.tells_has_more, api.tells_total = paging, False, True
    with Client(Credentials(api.key, api.base_url, paging=paging), Deadline.after(60)) as other:
        assert listed(other, lines) == ids(api)
    assert api.most_at_once == 1


@pytest.mark.parametrize("tells_has_more", [True, False])
def test_list_without_has_more_is_read_ahead_to_its_end(
    tells_has_more: bool, api: SimulatedApi, client: Client
) -> None:
    lines = known(api, client, 12)
    api.tells_has_more = tells_has_more
    assert listed(client, lines) == ids(api)
    assert len(api.requests) == 12 + (0 if tells_has_more else 2)  # an empty page, and the page before it again


def test_error_names_the_page_s_number(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 12)
    jobs = [*api.jobs]
    jobs[6 * SIZE + 3] |= {"status": None}
    api.jobs = jobs
    with pytest.raises(ApiError, match=r"^GET /fine_tuning/jobs page 7 \(request id req_\d+\): data\[3\]\.status"):
        listed(client, lines)


@pytest.mark.parametrize("handler", [api_faults.silent, api_faults.trickling, api_faults.stalled])
def test_page_that_hangs_fails_at_the_deadline(handler: Handler, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 12)
    api.faults = [fault_of_page(7, handler, times=99)]
    before = threading.active_count()
    with (
        Client(Credentials(api.key, api.base_url), Deadline.after(2)) as hasty,
        pytest.raises(OutOfTimeError, match=r"^GET /fine_tuning/jobs page 6"),
    ):
        listed(hasty, lines)
    assert threading.active_count() == before


def test_failed_listing_ends_its_requests(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 40)
    api.faults = [fault_of_page(38, api_faults.status(400, "No."), times=2)]
    api.faults += [fault_of_page(number, api_faults.silent) for number in range(37, 32, -1)]
    before = threading.active_count()
    with (
        Client(Credentials(api.key, api.base_url), Deadline.after(60)) as failing,
        pytest.raises(ApiError, match=r"^GET /fine_tuning/jobs page 3 .*status 400: No\."),
    ):
        listed(failing, lines)
    assert threading.active_count() == before


# --- An account that has changed ---


def in_turn(api: SimulatedApi) -> int:
    """Return the number of pages of the list, read sequentially."""
    return -(-len(api.jobs) // SIZE)


def removed(*numbers: int) -> Callable[[list[Any]], list[Any]]:
    gone = {payload(number)["id"] for number in numbers}
    return lambda jobs: [job for job in jobs if job.id not in gone]


def created_in_the_middle(jobs: list[Any]) -> list[Any]:
    """A job that another key could not see may appear in the middle of the list."""
    return [*jobs[:500], payload(9999, created_at=jobs[500]["created_at"]), *jobs[500:]]


CHANGES: dict[str, tuple[Callable[[list[Any]], list[Any]], int]] = {
    "nothing": (lambda jobs: jobs, 0),
    "created at the top": (lambda jobs: [*numbered(2007, 2001), *jobs], 0),
    "many created at the top": (lambda jobs: [*numbered(2055, 2001), *jobs], 0),
    "created in the middle": (created_in_the_middle, 1),
    "removed at the top": (removed(2000, 1999), 0),
    "removed in the middle": (removed(1413, 1207, 1205), 0),
    "removed where a page ended": (removed(1001), 2),
    "removed behind where a page ended": (removed(1000), 0),
    "removed before where a page ended": (removed(1002), 0),
    "a page removed": (removed(*range(1007, 987, -1)), 3),
    "the end removed": (removed(*range(1, 600)), 16),
    "many removed in a row": (removed(*range(1500, 500, -1)), 32),
}


@pytest.mark.parametrize("what", CHANGES)
def test_change_costs_few_requests(what: str, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 100)
    change, most = CHANGES[what]
    api.jobs = change(api.jobs)
    assert listed(client, lines) == ids(api)
    assert len(api.requests) <= in_turn(api) + most


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("unknown_cursor", ["404", "restart"])
def test_removed_jobs_waste_few_requests(unknown_cursor: str, share: float, api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, 250)
    api.unknown_cursor = unknown_cursor
    chance = random.Random(1)
    api.jobs = [job for job in api.jobs if chance.random() >= share]
    assert listed(client, lines) == ids(api)
    assert len(api.requests) <= 1.05 * in_turn(api) + 16 + 2


@pytest.mark.parametrize(("page", "place"), [(8, 0), (8, 5), (8, SIZE - 2), (8, SIZE - 1), (5, 5)])
def test_job_that_moves_while_pages_are_read_ahead_hides_none(
    page: int, place: int, api: SimulatedApi, client: Client
) -> None:
    """In an order by update, other jobs follow the moved job than those that were read ahead.

    It ended a page, and moves to a place on page 5. At the last place it ends that page too, so nothing is cut off.
    """
    lines = known(api, client, 12)

    async def moving(request: web.Request) -> web.StreamResponse:
        await api.have_arrived(12)
        await asyncio.sleep(0.1)  # the last of them get their response in this time
        jobs = [*api.jobs]
        jobs.insert(SIZE * 4 + place, jobs.pop(SIZE * page - 1))
        api.jobs = jobs
        return await api_faults.status(500)(request)

    api.faults = [fault_of_page(8, moving)]
    assert sorted(listed(client, lines)) == sorted(ids(api))


def test_second_reading_is_read_ahead_too(api: SimulatedApi, client: Client) -> None:
    """A missing unfinished job leads to repeated readings, until two of them agree."""
    known(api, client, 30)
    jobs = [*api.jobs]
    jobs[300] |= {"status": "paused"}
    api.jobs = jobs
    lines = list_jobs(client, [], full=True).lines
    api.requests.clear()
    api.most_at_once, api.latency = 0, 0.01
    api.jobs = [*jobs[:300], *jobs[301:]]

    def count() -> None:
        if len(api.requests) == 31:
            api.most_at_once = 0

    api.before_page = count
    assert listed(client, lines) == ids(api)
    assert len([path for path in api.requests if re.search(r"limit=20$|limit=100$", path)]) == 2
    assert api.most_at_once == 8


# --- Generated accounts ---


@pytest.mark.parametrize("seed", range(4))
def test_read_ahead_gives_the_same_table_for_a_changed_account(seed: int, api: SimulatedApi) -> None:
    chance = random.Random(seed)
    api.jobs, known = [payload(number) for number in range(60, 0, -1)], list[Line]()
    for number in range(examples(15)):
        api.largest_page = chance.choice([3, 7, 7, 7, 100])
        api.tells_has_more = chance.random() < 0.8
        api.jobs = changed(chance, api.jobs, 1000 * (number + 1))
        if chance.random() < 0.3:
            causes = [api_faults.status(500), api_faults.status(429, Retry_After="0"), api_faults.body("[")]
            api.faults = [Fault(JOBS, chance.choice(causes), skip=chance.randrange(1, 6))]
        with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
            lines = list_jobs(client, known, full=True).lines
            api.faults = []
            assert lines == list_jobs(client, [], full=True).lines
        assert [table.job_id(line) for line in lines] == [job.id for job in api.jobs]
        known = lines if chance.random() < 0.5 else known


def changed(chance: random.Random, jobs: list[Any], number: int) -> list[Any]:
    """Remove some jobs, change the status of some, and create some, at the top or among the others."""
    jobs = [{**job} for job in jobs if chance.random() > chance.choice([0, 0, 0.05, 0.5])]
    for job in chance.sample(jobs, len(jobs) // 10):
        job["status"] = chance.choice(["failed", "succeeded", "cancelled"])
    created = [payload(number + each) for each in range(chance.choice([0, 0, 1, 2, 20]))]
    late = [payload(n, id=f"late-{number}-{n}") for n in chance.sample(range(1, 60), chance.choice([0, 0, 1, 3]))]
    return sorted([*created, *jobs, *late], key=lambda job: -job["created_at"])
