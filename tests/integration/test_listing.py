"""From the pages to the table, over real HTTP."""

import json
import logging
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp.typedefs import Handler
from snapshot import table
from snapshot.api.client import Client
from snapshot.api.fine_tuning import MAX_EVENT_CALLS
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError
from snapshot.fields import format_time
from snapshot.job import Job
from snapshot.listing import list_jobs
from snapshot.table import Line

from tests.samples import job, payload
from tests.sandbox import api_faults, simulated_jobs
from tests.sandbox.api import Fault, SimulatedApi
from tests.sandbox.dialects import Dialect

JOBS = "/fine_tuning/jobs"
MODELS = "/models"
BASE = "gpt-4o-mini-2024-07-18"


def listed(client: Client, previous: list[Line] | None = None) -> list[Job]:
    return [table.from_line(line) for line in list_jobs(client, previous or [], full=True).lines]


def ids(jobs: list[Any]) -> list[str]:
    return [job.id for job in jobs]


def calls(api: SimulatedApi, pattern: str) -> int:
    return sum(bool(re.search(pattern, path)) for path in api.requests)


@pytest.mark.parametrize("cap", [100, 20, 7])
@pytest.mark.parametrize("tells_has_more", [True, False])
def test_every_job_is_listed_once_for_any_page_size(
    cap: int, tells_has_more: bool, api: SimulatedApi, client: Client
) -> None:
    api.largest_page = cap
    api.tells_has_more = tells_has_more
    assert ids(listed(client)) == ids(api.jobs)
    # Without has_more an empty page is the end, if the page before it still ends with the same job.
    assert calls(api, r"jobs\?limit=100") == -(-250 // cap) + (0 if tells_has_more else 2)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101])
def test_job_counts_around_the_page_size_are_listed(count: int, api: SimulatedApi, client: Client) -> None:
    api.jobs = api.jobs[:count]
    assert len(listed(client)) == count
    assert calls(api, r"jobs\?") == max(1, -(-count // 100))


def test_another_order_becomes_newest_first(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(number) for number in (2, 5, 1, 4, 3)]
    assert [int(job.id[6:]) for job in listed(client)] == [5, 4, 3, 2, 1]


def test_last_entry_of_a_job_listed_twice_counts(api: SimulatedApi, client: Client) -> None:
    first, second = [payload(2, status="running"), payload(1)], [payload(2, status="failed"), payload(0)]
    api.faults = [
        Fault(JOBS, api_faults.body({"data": first, "has_more": True})),
        Fault(JOBS, api_faults.body({"data": second, "has_more": False})),
    ]
    assert [(int(job.id[6:]), job.status) for job in listed(client)] == [
        (2, "failed"),
        (1, "succeeded"),
        (0, "succeeded"),
    ]


# --- updated_at ---


def test_an_active_job_has_its_newest_event_s_time(api: SimulatedApi, client: Client) -> None:
    newest = listed(client)[0]
    assert newest.status == "running"
    (event, *_) = api.jobs[0].events(api.now)
    assert newest.updated_at == format_time(event["created_at"]) > newest.created_at
    assert calls(api, "/events") == 1


def test_events_are_requested_for_the_newest_jobs_only(api: SimulatedApi, client: Client) -> None:
    chance = random.Random(1)
    api.jobs = [simulated_jobs.new_job(chance, int(api.now) - 1000 - age, "succeeded", hours=9) for age in range(120)]
    jobs = listed(client)
    assert calls(api, r"/events\?limit=1$") == MAX_EVENT_CALLS
    assert all(job.updated_at > job.created_at for job in jobs[:MAX_EVENT_CALLS])
    assert all(job.updated_at == job.created_at for job in jobs[MAX_EVENT_CALLS:])


def test_failing_events_keep_the_previous_updated_at(
    api: SimulatedApi, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    api.jobs = [payload(3, status="running", finished_at=None), payload(2, status="queued", finished_at=None)]
    api.faults = [Fault("/events", api_faults.status(403, "No events for you."), times=99)]
    before = [
        table.to_line(job(created_at="c", updated_at="2025-10-10T00:00:00.000Z", status="queued", id=api.jobs[0]["id"]))
    ]
    with caplog.at_level(logging.WARNING):
        known, unknown = listed(client, before)
    assert known.updated_at == "2025-10-10T00:00:00.000Z"
    assert unknown.updated_at == unknown.created_at
    assert "newest event of some jobs cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("status", "time", "requests"),
    [
        ("cancelled", "2025-10-10T00:00:00.000Z", 0),
        (
            "running",
            "2025-10-10T00:00:00.000Z",
            2,
        ),  # the event is older than the job's end; that of the early request may be, too
        ("cancelled", format_time(1_760_000_001), 1),  # created_at, because nothing else is known
    ],
)
def test_events_of_an_ended_job_are_requested_once(
    status: str, time: str, requests: int, api: SimulatedApi, client: Client
) -> None:
    api.jobs = [payload(1, status="cancelled", finished_at=None)]
    before = [table.to_line(job(updated_at=time, status=status, id=api.jobs[0].id))]
    (ended,) = listed(client, before)
    assert ended.updated_at == time
    assert calls(api, "/events") == requests


def test_unchanged_line_of_an_active_job_is_the_same_object(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(2, status="running", finished_at=None), payload(1)]
    before = list_jobs(client, [], full=True).lines
    lines = list_jobs(client, before, full=True).lines
    assert all(line is known for line, known in zip(lines, before, strict=True))


# --- shutdown_date ---


@pytest.mark.parametrize(
    ("announced", "model", "expected"),
    [
        ({"ft:x": "2027-01-01", BASE: "2027-02-02"}, BASE, "2027-01-01"),
        ({"ft:x": None, BASE: "2027-02-02"}, BASE, "2027-02-02"),
        ({BASE: "2027-02-02"}, f"ft:{BASE}:acme::older", "2027-02-02"),
        ({BASE: None}, BASE, ""),
        ({}, "gpt-unheard-of", ""),
    ],
)
def test_shutdown_date_is_the_model_s_own_or_its_base_model_s(
    announced: dict[str, str | None], model: str, expected: str, api: SimulatedApi, client: Client
) -> None:
    api.jobs = [payload(2, model=model, fine_tuned_model="ft:x"), payload(1, model=BASE)]
    api.announced = announced
    tuned, untuned = listed(client)
    assert tuned.shutdown_date == expected
    assert untuned.shutdown_date == ""


@pytest.mark.parametrize(
    "handler",
    [
        api_faults.status(403, "Missing scopes: api.model.read"),
        api_faults.body({"data": [{"id": BASE}]}),
        api_faults.body({"data": [{"id": BASE, "shutdown_date": "soon"}]}),
        api_faults.body({"data": []}),
    ],
)
def test_unannounced_dates_keep_the_previous_value(handler: Any, api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(2, fine_tuned_model="ft:x")]
    api.announced = {BASE: "2027-01-14"}
    before = list_jobs(client, [], full=True).lines
    api.faults = [Fault(MODELS, handler)]
    assert listed(client, before)[0].shutdown_date == "2027-01-14"
    api.announced = {BASE: None}
    assert listed(client, before)[0].shutdown_date == ""


def test_models_are_requested_only_if_a_job_has_one(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(1)]
    listed(client)
    assert calls(api, "/models") == 0


# --- Pages of other servers ---


def page(*jobs: dict[str, Any], **more: Any) -> Handler:
    return api_faults.body({"object": "list", "data": list(jobs), **more})


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    """Return jobs with these numbers, newest first."""
    return [payload(number) for number in range(first, last - 1, -1)]


@pytest.mark.parametrize("tells_has_more", [True, False])
def test_pages_of_one_job_are_listed(tells_has_more: bool, api: SimulatedApi, client: Client) -> None:
    api.largest_page, api.tells_has_more = 1, tells_has_more
    api.jobs = numbered(30, 1)
    assert len(listed(client)) == 30


def test_an_empty_page_after_has_more_is_an_error(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, page(payload(), has_more=True)), Fault(JOBS, page(has_more=False))]
    with pytest.raises(ApiError, match=r"page 2 .*has_more is true, but no job is new"):
        listed(client)


def test_total_that_is_not_reached_is_an_error_naming_paging(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, page(*numbered(100, 1), total=150), times=99)]
    with pytest.raises(ApiError, match='"paging": "page"'):
        listed(client)


def test_reached_total_ends_the_list(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, page(*numbered(100, 1), total=100), times=99)]
    assert len(listed(client)) == 100


def test_server_that_ignores_after_is_an_error_naming_paging(api: SimulatedApi, client: Client) -> None:
    api.ignores_place, api.tells_has_more = True, False
    with pytest.raises(ApiError, match=r'sent before.*"paging": "none"'):
        listed(client)


@contextmanager
def paging(api: SimulatedApi, how: str) -> Iterator[Client]:
    """A client for a server with another paging and without has_more."""
    api.paging, api.tells_has_more = how, False
    with Client(Credentials(api.key, api.base_url, paging=how), Deadline.after(60)) as client:
        yield client


@pytest.mark.parametrize("cap", [1, 20, 50, 100])
@pytest.mark.parametrize("tells_total", [True, False])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 130])
def test_numbered_pages_are_listed(count: int, tells_total: bool, cap: int, api: SimulatedApi) -> None:
    api.jobs = numbered(count, 1)
    api.largest_page, api.tells_total = cap, tells_total
    with paging(api, "page") as client:
        assert ids(listed(client)) == ids(api.jobs)
    assert api.requests[0] == "/v1/fine_tuning/jobs?page=0&page_size=100"


# Without a total, the list is read twice.
@pytest.mark.parametrize(("count", "tells_total", "requests"), [(100, True, 2), (130, True, 3), (130, False, 6)])
def test_numbered_pages_end_with_the_total_or_a_short_page(
    count: int, tells_total: bool, requests: int, api: SimulatedApi
) -> None:
    api.jobs = numbered(count, 1)
    api.largest_page, api.tells_total = 50, tells_total
    with paging(api, "page") as client:
        assert len(listed(client)) == count
    assert calls(api, r"jobs\?") == requests


def test_last_page_may_hold_only_the_cursor(api: SimulatedApi, client: Client) -> None:
    jobs = numbered(2, 1)
    api.faults = [Fault(JOBS, api_faults.body({"data": data})) for data in (jobs, jobs[1:])]
    assert ids(listed(client)) == [job["id"] for job in jobs]
    assert calls(api, r"jobs\?") == 2


@pytest.mark.parametrize("tells_total", [True, False])
def test_server_that_ignores_page_is_an_error_naming_paging(tells_total: bool, api: SimulatedApi) -> None:
    api.ignores_place, api.tells_total = True, tells_total
    with paging(api, "page") as client, pytest.raises(ApiError, match='"paging": "none"'):
        listed(client)


# With a total, the second page shows it; without one the first reading lacks a job, and the next two agree.
@pytest.mark.parametrize(("tells_total", "readings"), [(True, 2), (False, 3)])
def test_numbered_pages_that_shift_are_read_again(tells_total: bool, readings: int, api: SimulatedApi) -> None:
    """When a job is removed, the next job moves to a page that was already read."""
    api.jobs = numbered(30, 1)
    api.largest_page, api.tells_total = 10, tells_total

    def remove() -> None:
        if len(api.requests) == 2:
            api.jobs = api.jobs[1:]

    api.before_page = remove
    with paging(api, "page") as client:
        assert len(listed(client)) == 29
    assert calls(api, r"page=0") == readings


def test_single_response_with_all_jobs_is_listed(api: SimulatedApi) -> None:
    with paging(api, "none") as client:
        assert len(listed(client)) == 250
    assert calls(api, r"jobs(\?|$)") == 1


def test_incomplete_single_response_is_an_error(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, page(payload(), has_more=True))]
    with paging(api, "none") as client, pytest.raises(ApiError, match='Remove "paging"'):
        listed(client)


@pytest.mark.parametrize(("new", "is_full"), [(0, False), (5, False), (30, True)])
def test_numbered_pages_without_a_total_are_skipped_after_the_first_only(
    new: int, is_full: bool, api: SimulatedApi
) -> None:
    """A job that is removed moves others to a page already read, so a second page proves nothing."""
    api.jobs, api.largest_page = numbered(60, 1), 25
    with paging(api, "page") as client:
        before = list_jobs(client, [], full=True).lines
        api.jobs = [*numbered(60 + new, 61), *api.jobs]
        listing = list_jobs(client, before, full=False)
    assert (len(listing.lines), listing.full) == (60 + new, is_full)


# --- Lists that change while they are read ---


def test_list_of_one_page_is_read_once_in_any_order(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(2), payload(3), payload(1)]
    assert len(listed(client)) == 3
    assert calls(api, r"jobs\?") == 1


def test_jobs_of_one_second_do_not_disturb_the_order(api: SimulatedApi, client: Client) -> None:
    jobs = numbered(30, 1)
    jobs[15] = jobs[15] | {"created_at": jobs[14]["created_at"]}
    api.jobs, api.largest_page = jobs, 10
    assert len(listed(client)) == 30
    assert calls(api, r"jobs\?") == 3


@pytest.mark.parametrize("unknown_cursor", ["404", "restart"])
def test_removed_cursor_hides_no_jobs(unknown_cursor: str, api: SimulatedApi, client: Client) -> None:
    api.jobs = numbered(30, 1)
    api.largest_page, api.unknown_cursor = 10, unknown_cursor

    def remove() -> None:
        if len(api.requests) == 2:
            api.jobs = [*api.jobs[:9], *api.jobs[10:]]

    api.before_page = remove
    assert set(ids(listed(client))) >= set(ids(api.jobs))
    assert calls(api, r"jobs\?limit=100$") == (
        2 if unknown_cursor == "404" else 1
    )  # after a 404 the list is read again


def test_cursor_removed_twice_is_an_error(api: SimulatedApi, client: Client) -> None:
    removed = api_faults.status(404, "No such job.")
    api.faults = [Fault(JOBS, handler) for handler in (page(payload(), has_more=True), removed) * 2]
    with pytest.raises(ApiError, match="No such job"):
        listed(client)
    assert calls(api, r"jobs\?") == 4


@pytest.mark.parametrize("gives_single_jobs", [True, False])
@pytest.mark.parametrize("tells_total", [True, False])
def test_empty_page_after_a_removed_cursor_is_not_the_end(tells_total: bool, gives_single_jobs: bool) -> None:
    dialect = Dialect(tells_has_more=False, tells_total=tells_total, gives_single_jobs=gives_single_jobs)
    with SimulatedApi(numbered(2, 1), dialect=dialect) as api:
        api.largest_page, api.unknown_cursor = 1, "empty"

        def remove() -> None:
            if len(api.requests) == 2:
                api.jobs = api.jobs[1:]

        api.before_page = remove
        with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
            assert ids(listed(client)) == ids(api.jobs)


def test_job_that_moves_to_the_last_page_while_it_is_read_is_not_lost() -> None:
    """The cursor does not change, but a job from below takes the place of a removed one."""
    with SimulatedApi(numbered(4, 1), dialect=Dialect(tells_has_more=False)) as api:
        api.largest_page = 3

        def move() -> None:
            if len(api.requests) == 2:
                first, _, cursor, below = api.jobs
                api.jobs = [first, below, cursor]

        api.before_page = move
        with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
            assert {*ids(listed(client))} >= {*ids(api.jobs)}


def update_before_page(number: int, api: SimulatedApi, *, to_front: bool) -> None:
    """Before this page, let a running job fail and move, as in an order by update; `to_front` is newest first."""

    def update() -> None:
        if len(api.requests) == number:
            moved = next(job for job in api.jobs if job["status"] == "running") | {"status": "failed"}
            others = [job for job in api.jobs if job.id != moved["id"]]
            api.jobs = [moved, *others] if to_front else [*others, moved, payload(99)]

    api.before_page = update


def test_job_that_moves_to_a_page_already_read_is_not_lost(api: SimulatedApi, client: Client) -> None:
    """The list is ordered by update, which may look newest first."""
    api.jobs = [*numbered(30, 2), payload(1, status="running", finished_at=None)]
    before = list_jobs(client, [], full=True).lines
    api.largest_page = 10
    api.requests.clear()
    update_before_page(2, api, to_front=True)
    assert {job.id: job.status for job in listed(client, before)}[payload(1)["id"]] == "failed"


def test_cursor_that_moves_to_the_end_hides_no_jobs(api: SimulatedApi, client: Client) -> None:
    """After the cursor come only newer jobs, so those in between would be missing."""
    api.jobs = [*numbered(40, 22), payload(21, status="running", finished_at=None), *numbered(20, 1)]
    api.largest_page = 10
    update_before_page(3, api, to_front=False)
    assert len(listed(client)) == 41


def test_list_that_keeps_changing_is_an_error(api: SimulatedApi, client: Client) -> None:
    api.jobs = [*numbered(15, 1), *numbered(30, 16)]
    api.largest_page = 10
    api.before_page = lambda: setattr(api, "jobs", [*api.jobs, payload(100 + len(api.jobs))])
    with pytest.raises(ApiError, match="no two readings of it agree"):
        listed(client)


@pytest.mark.parametrize("tells_has_more", [True, False])
def test_list_by_update_that_looks_oldest_first_is_complete(
    tells_has_more: bool, api: SimulatedApi, client: Client
) -> None:
    """The job that ended the first page moves to the end, and a new one follows it, which is then the second page."""
    api.jobs = numbered(30, 1)[::-1]
    api.largest_page, api.tells_has_more = 10, tells_has_more

    def change() -> None:
        if len(api.requests) == 2:
            api.jobs = [*api.jobs[:9], *api.jobs[10:], payload(10, status="cancelled"), payload(31)]

    api.before_page = change
    assert [int(job.id[6:]) for job in listed(client)] == [*range(31, 0, -1)]


@pytest.mark.parametrize("total", ["250", 250.0, 250])
@pytest.mark.parametrize("more", [{"has_more": False}, {}])
def test_unreached_total_of_any_form_is_an_error(
    total: Any, more: dict[str, Any], api: SimulatedApi, client: Client
) -> None:
    page = {"data": numbered(100, 1), "total": total} | more
    api.faults = [Fault(JOBS, api_faults.body(page), times=99)]
    problem = "counts 250 jobs, but sent 100" if more else "repeats jobs that it sent before"
    with pytest.raises(ApiError, match=rf'the server {problem}\..*"paging": "page" if'):
        listed(client)


def test_null_list_is_empty(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.body({"object": "list", "data": None, "has_more": False}))]
    assert listed(client) == []


@pytest.mark.parametrize("data", [{"data": []}, {"data": None}, {}])
def test_error_with_an_empty_list_is_an_error(data: dict[str, Any], api: SimulatedApi, client: Client) -> None:
    """Otherwise all jobs would be reported as removed."""
    body = data | {"has_more": False, "error": {"code": "upstream_timeout", "message": "Try later."}}
    api.faults = [Fault(JOBS, api_faults.body(body))]
    with pytest.raises(ApiError, match=r"despite status 200: upstream_timeout: Try later"):
        listed(client)


def test_number_of_thousands_of_digits_does_not_fail_the_listing(api: SimulatedApi, client: Client) -> None:
    body = json.dumps({"data": [payload(2, seed=123456789), payload(1)], "has_more": False})
    api.faults = [Fault(JOBS, api_faults.body(body.replace("123456789", "9" * 5000)))]
    assert [int(job.id[6:]) for job in listed(client)] == [2, 1]


# --- Few requests ---


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_server_without_events_gets_few_event_requests(status: int, api: SimulatedApi, client: Client) -> None:
    api.jobs = [job | {"status": "running", "finished_at": None} for job in numbered(60, 1)]
    api.faults = [Fault("/events", api_faults.status(status, "No such path."), times=99)]
    assert all(job.updated_at == job.created_at for job in listed(client))
    assert 1 <= calls(api, "/events") <= 8  # the number of requests at a time


def test_canceled_and_cancelled_jobs_cost_the_same_requests(api: SimulatedApi, client: Client) -> None:
    requests = []
    for status in ("canceled", "cancelled"):
        api.jobs = [
            job | {"status": status, "finished_at": None, "updated_at": 1_760_009_999} for job in numbered(60, 1)
        ]
        before = list_jobs(client, [], full=True).lines
        api.requests.clear()
        api.largest_page = 20
        assert list_jobs(client, before, full=False).lines == before
        requests.append(api.requests[:])
    assert requests[0] == requests[1]
    assert len(requests[0]) == 1
