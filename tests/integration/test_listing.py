"""From pages to the table, over real HTTP."""

import logging
import random
import re
from typing import Any

import pytest
from snapshot import table
from snapshot.api.client import Client
from snapshot.fields import format_time
from snapshot.job import Job
from snapshot.listing import MAX_EVENT_CALLS, list_jobs
from snapshot.table import Line

from tests.samples import job, payload
from tests.sandbox import api_faults, simulated_jobs
from tests.sandbox.api import Fault, SimulatedApi

JOBS = "/fine_tuning/jobs"
MODELS = "/models"
BASE = "gpt-4o-mini-2024-07-18"


def listed(client: Client, previous: list[Line] | None = None) -> list[Job]:
    return [table.from_line(line) for line in list_jobs(client, previous or [], full=True).lines]


def calls(api: SimulatedApi, pattern: str) -> int:
    return sum(bool(re.search(pattern, path)) for path in api.requests)


@pytest.mark.parametrize("cap", [100, 20, 7])
@pytest.mark.parametrize("tells_has_more", [True, False])
def test_every_job_once_whatever_the_pages(cap: int, tells_has_more: bool, api: SimulatedApi, client: Client) -> None:
    api.largest_page = cap
    api.tells_has_more = tells_has_more
    assert [job.id for job in listed(client)] == [job.id for job in api.jobs]
    assert calls(api, r"jobs\?limit=100") == -(-250 // cap) + (not tells_has_more)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101])
def test_counts_around_a_page(count: int, api: SimulatedApi, client: Client) -> None:
    api.jobs = api.jobs[:count]
    assert len(listed(client)) == count
    assert calls(api, r"jobs\?") == max(1, -(-count // 100))


def test_another_order_becomes_newest_first(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(number) for number in (2, 5, 1, 4, 3)]
    assert [int(job.id[6:]) for job in listed(client)] == [5, 4, 3, 2, 1]


def test_of_a_job_listed_twice_the_last_counts(api: SimulatedApi, client: Client) -> None:
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


def test_events_are_asked_for_the_newest_jobs_only(api: SimulatedApi, client: Client) -> None:
    chance = random.Random(1)
    api.jobs = [simulated_jobs.new_job(chance, int(api.now) - 1000 - age, "succeeded", hours=9) for age in range(120)]
    jobs = listed(client)
    assert calls(api, r"/events\?limit=1$") == MAX_EVENT_CALLS
    assert all(job.updated_at > job.created_at for job in jobs[:MAX_EVENT_CALLS])
    assert all(job.updated_at == job.created_at for job in jobs[MAX_EVENT_CALLS:])


def test_failing_events_leave_the_time_known_before(
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
    ("status", "time", "kept"),
    [
        ("cancelled", "2025-10-10T00:00:00.000Z", True),
        ("running", "2025-10-10T00:00:00.000Z", False),  # it was told before the job ended
        ("cancelled", format_time(1_760_000_001), False),  # its creation: a stand-in
    ],
)
def test_an_end_seen_before_is_not_asked_for_again(
    status: str, time: str, kept: bool, api: SimulatedApi, client: Client
) -> None:
    api.jobs = [payload(1, status="cancelled", finished_at=None)]
    before = [table.to_line(job(updated_at=time, status=status, id=api.jobs[0].id))]
    (ended,) = listed(client, before)
    assert ended.updated_at == time
    assert calls(api, "/events") == (0 if kept else 1)


# --- shutdown_date ---


@pytest.mark.parametrize(
    ("announced", "model", "told"),
    [
        ({"ft:x": "2027-01-01", BASE: "2027-02-02"}, BASE, "2027-01-01"),
        ({"ft:x": None, BASE: "2027-02-02"}, BASE, "2027-02-02"),
        ({BASE: "2027-02-02"}, f"ft:{BASE}:acme::older", "2027-02-02"),
        ({BASE: None}, BASE, ""),
        ({}, "gpt-unheard-of", ""),
    ],
)
def test_a_fine_tuned_model_ends_with_itself_or_its_base(
    announced: dict[str, str | None], model: str, told: str, api: SimulatedApi, client: Client
) -> None:
    api.jobs = [payload(2, model=model, fine_tuned_model="ft:x"), payload(1, model=BASE)]
    api.announced = announced
    tuned, untuned = listed(client)
    assert tuned.shutdown_date == told
    assert untuned.shutdown_date == ""


@pytest.mark.parametrize(
    "answer",
    [
        api_faults.status(403, "Missing scopes: api.model.read"),
        api_faults.body({"data": [{"id": BASE}]}),
        api_faults.body({"data": [{"id": BASE, "shutdown_date": "soon"}]}),
        api_faults.body({"data": []}),
    ],
)
def test_dates_that_are_not_told_stay(answer: Any, api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(2, fine_tuned_model="ft:x")]
    api.announced = {BASE: "2027-01-14"}
    before = list_jobs(client, [], full=True).lines
    api.faults = [Fault(MODELS, answer)]
    assert listed(client, before)[0].shutdown_date == "2027-01-14"
    api.announced = {BASE: None}
    assert listed(client, before)[0].shutdown_date == ""


def test_models_are_asked_for_only_if_there_are_any(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(1)]
    listed(client)
    assert calls(api, "/models") == 0
