"""A usual run waits for one round trip: what it will probably need is requested together with the first page."""

import asyncio
import random
import re
import threading
import time
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from snapshot import aws, table
from snapshot.api.client import Client
from snapshot.errors import ApiError, SecretError
from snapshot.listing import list_jobs
from snapshot.table import Line

from tests.integration.deployment import Deployment
from tests.samples import at, payload
from tests.sandbox import api_faults, simulated_jobs
from tests.sandbox.api import Fault, SimulatedApi
from tests.sandbox.aws_faults import AwsFault, FlakyAws

JOBS = "/fine_tuning/jobs"


def work_on(api: SimulatedApi, active: int, ended: int = 18) -> None:
    """Set the jobs of the account; the newest are running."""
    chance = random.Random(1)
    newest = [simulated_jobs.new_job(chance, int(api.now) - 1000 - age, "succeeded", 9) for age in range(active)]
    api.jobs = [*newest, *simulated_jobs.new_jobs(ended + 1, api.now - 2000)[1:]]


def known(api: SimulatedApi, client: Client, active: int, ended: int = 18) -> list[Line]:
    """List such an account, and return its table; its requests are not counted."""
    work_on(api, active, ended)
    lines = list_jobs(client, [], full=True).lines
    api.requests.clear()
    return lines


def calls(api: SimulatedApi, pattern: str) -> int:
    return sum(bool(re.search(pattern, path)) for path in api.requests)


def warnings(deployment: Deployment) -> list[str]:
    return [line["message"] for line in deployment.logged() if line["level"] == "WARNING"]


@pytest.fixture
def working(deployment: Deployment) -> Deployment:
    """A deployment with a table of twenty jobs, eight of which are running."""
    work_on(deployment.api, active=8, ended=12)
    deployment.put_simulated_secret()
    deployment.run(time=at(minutes=1))
    deployment.api.requests.clear()
    return deployment


def test_usual_run_waits_for_one_round_trip(deployment: Deployment) -> None:
    api = deployment.api
    work_on(api, active=2)
    deployment.put_simulated_secret()
    first = deployment.run(time=at(minutes=1))
    api.requests.clear()
    api.waits_for = 4  # the first page, the models and two jobs' events
    second = deployment.run()
    assert len(api.requests) == 4
    assert (second["job_count"], warnings(deployment)) == (first["job_count"], [])


@pytest.mark.parametrize("refusal", [401, 403])
def test_refused_key_is_reported_once_and_repeats_no_request(refusal: int, working: Deployment) -> None:
    """The run fails with the list's error, and requests that were still waiting are not sent."""
    working.api.faults = [Fault("", api_faults.status(refusal, "No.", "invalid_api_key"), times=99)]
    with pytest.raises(ApiError, match=rf"^GET /fine_tuning/jobs page 1 .*status {refusal}"):
        working.run()
    assert calls(working.api, r"/jobs\?") == 1
    assert calls(working.api, "/models") <= 1
    assert calls(working.api, "/events") <= 6
    assert len({*working.api.requests}) == len(working.api.requests)
    assert warnings(working) == []
    assert len([line for line in working.logged() if line["level"] == "ERROR"]) == 1


@pytest.mark.parametrize("handler", [api_faults.silent, api_faults.trickling, api_faults.status(503, Retry_After="9")])
def test_early_requests_end_when_the_listing_fails(handler: Handler, working: Deployment) -> None:
    working.api.faults = [
        Fault(JOBS, api_faults.status(400, "No.")),
        *(Fault(path, handler, times=99) for path in ("/events", "/models")),
    ]
    before = threading.active_count()
    with pytest.raises(ApiError, match=r"status 400: No\."):
        working.run()
    end = time.monotonic() + 5  # less than the read time-out
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() == before
    assert warnings(working) == []


@pytest.mark.parametrize("what", ["gone", "ended"])
def test_early_event_request_of_an_ended_job_does_not_warn(what: str, working: Deployment) -> None:
    api = working.api
    newest, *others = api.jobs
    if what == "ended":
        newest.finish("failed", api.now)
    api.jobs = others if what == "gone" else [newest, *others]
    api.faults = [Fault(f"{newest.id}/events", api_faults.status(404, "No such job."), times=9)]
    assert working.run()["job_count"] == (19 if what == "gone" else 20)
    assert calls(api, f"{newest.id}/events") == 1
    assert warnings(working) == []


def test_failing_early_requests_warn_once_of_each_kind(working: Deployment) -> None:
    before = working.rows()
    refused = api_faults.status(400, "No.")
    working.api.faults = [Fault("/events", refused, times=99), Fault("/models", refused, times=99)]
    working.run()
    assert sorted(warnings(working)) == [
        "The models' shutdown dates cannot be read; the last known ones are kept",
        "The newest event of some jobs cannot be read; their updated_at is kept",
    ]
    assert working.rows() == before


def test_event_requests_are_a_hundred_with_the_early_ones(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, active=120)
    listing = list_jobs(client, lines, full=False)
    assert calls(api, "/events") == 100
    assert listing.lines == lines


def test_event_requested_before_the_job_ended_is_requested_again(api: SimulatedApi, client: Client) -> None:
    """A job without `finished_at` is cancelled after the request for its event."""
    api.jobs = [payload(1, status="running", finished_at=None)]
    path = f"{api.jobs[0].id}/events"
    events = [api_faults.body({"data": [{"id": "e", "created_at": 1_760_000_100 + number}]}) for number in range(3)]
    api.faults = [Fault(path, events[0])]
    lines = list_jobs(client, [], full=True).lines

    async def page_after_the_early_event(request: web.Request) -> web.StreamResponse:
        await early_event.wait()
        return await api_faults.status(500, Retry_After_Ms="0")(request)

    async def second_event(request: web.Request) -> web.StreamResponse:
        early_event.set()
        return await events[1](request)

    early_event = asyncio.Event()
    api.jobs = [api.jobs[0] | {"status": "cancelled"}]
    api.faults = [Fault(JOBS, page_after_the_early_event), Fault(path, second_event), Fault(path, events[2])]
    (line,) = list_jobs(client, lines, full=False).lines
    assert table.from_line(line).updated_at == "2025-10-09T08:55:02.000Z"


def test_events_are_not_requested_early_from_a_server_without_events(api: SimulatedApi, client: Client) -> None:
    """An `updated_at` equal to `created_at` shows that the server has no events."""
    api.jobs = [payload(number, status="running", finished_at=None) for number in (2, 1)]
    lines = list_jobs(client, [], full=True).lines
    api.requests.clear()
    api.jobs = [job | {"updated_at": 1_760_000_500} for job in api.jobs]
    list_jobs(client, lines, full=False)
    assert len(api.requests) == 1


def test_models_are_not_requested_early_without_a_fine_tuned_model(api: SimulatedApi, client: Client) -> None:
    lines = known(api, client, active=1, ended=0)
    list_jobs(client, lines, full=False)
    assert calls(api, "/models") == 0


# --- The secret and latest ---


@pytest.fixture
def meeting() -> Iterator[threading.Barrier]:
    """A proxy that holds the calls for the secret and for `latest` until both have arrived."""
    barrier = threading.Barrier(2, timeout=5)
    hooks = [(aws.secrets_client(), "GetSecretValue"), (aws.s3_client(), "GetObject")]

    def wait(**_: object) -> None:
        barrier.wait()

    for client, call in hooks:
        client.meta.events.register(f"before-call.*.{call}", wait, unique_id="meeting")
    yield barrier
    for client, call in hooks:
        client.meta.events.unregister(f"before-call.*.{call}", unique_id="meeting")


def test_secret_and_latest_are_read_together(deployment: Deployment, meeting: threading.Barrier) -> None:
    deployment.put_simulated_secret()
    assert deployment.run()["job_count"] == 250
    assert not meeting.broken


def test_error_of_the_secret_has_priority(working: Deployment, flaky: FlakyAws) -> None:
    flaky.set(AwsFault("403 AccessDenied", 0, times=99))
    with pytest.raises(SecretError, match="cannot be read: GetSecretValue"):
        working.run()


def test_skipped_run_needs_no_secret(working: Deployment) -> None:
    working.put_secret(" ")
    assert working.run(time=at(minutes=9))["skipped"]
