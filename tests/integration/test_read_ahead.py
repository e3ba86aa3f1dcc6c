"""A full listing of a known account asks for pages ahead of need, and gives the table of a listing in turn."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from snapshot import table
from snapshot.api.client import Client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError
from snapshot.listing import list_jobs
from snapshot.table import Line

from tests.fuzz import examples
from tests.samples import payload
from tests.sandbox import api_faults
from tests.sandbox.api import Answer, Fault, SimulatedApi

JOBS = "/fine_tuning/jobs"
PAGES = 40


@pytest.fixture
def known(api: SimulatedApi, client: Client) -> list[Line]:
    """The table of an account of many pages of five jobs, before the API is asked for what follows."""
    api.largest_page = 5
    api.jobs = [payload(number) for number in range(5 * PAGES, 0, -1)]
    lines = list_jobs(client, [], full=True).lines
    assert api.most_at_once == 1
    api.requests.clear()
    return lines


def in_turn(client: Client) -> list[Line]:
    return list_jobs(client, [], full=True).lines


def test_pages_are_read_ahead_at_most_eight_at_once(api: SimulatedApi, client: Client, known: list[Line]) -> None:
    api.latency = 0.05
    assert list_jobs(client, known, full=True).lines == known
    assert len(api.requests) == PAGES
    assert api.most_at_once == 8


def test_no_more_than_sixteen_pages_wait_for_their_turn(api: SimulatedApi, client: Client, known: list[Line]) -> None:
    """The second page is held back until nothing else is asked for."""
    second = f"after={api.jobs[4].id}"
    asked: list[int] = []

    async def hold(request: Any) -> Any:
        end = time.monotonic() + 20
        while len(api.requests) < 2 + 16 and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # in which more would come
        asked.append(len(api.requests))
        return await api_faults.status(503)(request)

    api.faults = [Fault("", hold, query=second)]
    assert list_jobs(client, known, full=True).lines == known
    assert asked == [2 + 16]


@pytest.mark.parametrize(
    "change",
    [
        lambda jobs: [payload(1000 + number) for number in range(7, 0, -1)] + jobs,
        lambda jobs: jobs[:52] + jobs[53:],
        lambda jobs: jobs[:54] + jobs[55:],  # the last of a page
        lambda jobs: jobs[:50] + jobs[60:],
        lambda jobs: [*jobs[:50], payload(149, id="late"), *jobs[50:]],
        lambda jobs: jobs[:-1],
        lambda jobs: jobs[30:],
        lambda jobs: [job | {"status": "failed"} for job in jobs],
    ],
)
def test_changed_account_costs_two_more_requests_at_most(
    change: Callable[[list[Any]], list[Any]], api: SimulatedApi, client: Client, known: list[Line]
) -> None:
    api.jobs = change([{**job} for job in api.jobs])
    lines = list_jobs(client, known, full=True).lines
    needed = len(api.requests)
    assert lines == in_turn(client)
    assert needed <= len(api.requests) - needed + 2


@pytest.mark.parametrize(
    "answer", [api_faults.status(500), api_faults.status(404), api_faults.body("{"), api_faults.body({"data": []})]
)
def test_page_read_ahead_that_fails_is_requested_again_in_its_turn(
    answer: Answer, api: SimulatedApi, client: Client, known: list[Line]
) -> None:
    api.faults = [Fault("", answer, query=f"after={api.jobs[5 * 20 - 1].id}")]
    assert list_jobs(client, known, full=True).lines == known
    assert len(api.requests) == PAGES + 1


# Job 161 ends page 8; it moves up into page 3, as in an order by update, when the pages below have been read ahead.
@pytest.mark.parametrize("place", [10, 11, 13, 14])
def test_job_that_moves_while_pages_are_read_ahead_hides_none(
    place: int, api: SimulatedApi, client: Client, known: list[Line]
) -> None:
    """At 14 it ends the page, so that nothing is cut off; elsewhere it stands inside."""

    async def move(request: Any) -> Any:
        end = time.monotonic() + 20
        while len(api.requests) < 2 + 16 and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # in which the last of them are answered
        jobs = [*api.jobs]
        jobs.insert(place, jobs.pop([job.id for job in jobs].index(payload(161)["id"])))
        api.jobs = jobs
        return await api_faults.status(500)(request)

    api.faults = [Fault("", move, query=f"after={api.jobs[5 * 2 - 1].id}")]
    lines = list_jobs(client, known, full=True).lines
    assert sorted(map(table.job_id, lines)) == sorted(job.id for job in api.jobs)


def test_429_on_a_page_read_ahead_stops_reading_ahead(api: SimulatedApi, client: Client, known: list[Line]) -> None:
    at_once: list[int] = []

    def look() -> None:
        at_once.append(api.most_at_once)
        api.most_at_once = 0

    api.latency, api.before_page = 0.02, look
    api.faults = [Fault("", api_faults.status(429, Retry_After="0"), query=f"after={api.jobs[5 * 15 - 1].id}")]
    assert list_jobs(client, known, full=True).lines == known
    assert max(at_once) > 1
    assert at_once[-10:] == [1] * 10


def test_refused_key_is_not_asked_with_ahead(api: SimulatedApi, known: list[Line]) -> None:
    with (
        Client(Credentials("sk-wrong-0123456789", api.base_url), Deadline.after(60)) as client,
        pytest.raises(ApiError, match=r"page 1 .*status 401"),
    ):
        list_jobs(client, known, full=True)
    assert sum(JOBS in path for path in api.requests) == 1


@pytest.mark.parametrize("paging", ["page", "none"])
def test_numbered_pages_are_read_in_turn(paging: str, api: SimulatedApi, known: list[Line]) -> None:
    api.paging, api.largest_page = paging, 100
    with Client(Credentials(api.key, api.base_url, paging=paging), Deadline.after(60)) as client:
        assert list_jobs(client, known, full=True).lines == known
    assert api.most_at_once == 1


@pytest.mark.parametrize("seed", range(4))
def test_changing_account_gives_the_table_of_a_listing_in_turn(seed: int, api: SimulatedApi, client: Client) -> None:
    chance = random.Random(seed)
    api.jobs, known = [payload(number) for number in range(60, 0, -1)], list[Line]()
    for number in range(examples(25)):
        api.largest_page = chance.choice([3, 7, 7, 7, 100])
        api.tells_has_more = chance.random() < 0.8
        api.jobs = changed(chance, api.jobs, 1000 * (number + 1))
        if chance.random() < 0.3:
            causes = [api_faults.status(500), api_faults.status(429, Retry_After="0"), api_faults.body("[")]
            api.faults = [Fault(JOBS, chance.choice(causes), skip=chance.randrange(1, 6))]
        lines = list_jobs(client, known, full=True).lines
        api.faults = []
        assert lines == in_turn(client)
        assert [table.job_id(line) for line in lines] == [job.id for job in api.jobs]
        known = lines if chance.random() < 0.5 else known


def changed(chance: random.Random, jobs: list[Any], number: int) -> list[Any]:
    """Some jobs removed, some with another status, some created, at the top or among the others."""
    jobs = [{**job} for job in jobs if chance.random() > chance.choice([0, 0, 0.05, 0.5])]
    for job in chance.sample(jobs, len(jobs) // 10):
        job["status"] = chance.choice(["failed", "succeeded", "cancelled"])
    created = [payload(number + each) for each in range(chance.choice([0, 0, 1, 2, 20]))]
    late = [payload(n, id=f"late-{number}-{n}") for n in chance.sample(range(1, 60), chance.choice([0, 0, 1, 3]))]
    return sorted([*created, *jobs, *late], key=lambda job: -job["created_at"])
