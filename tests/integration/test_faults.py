"""Faults of the API in the middle of a run: the run recovers, or it fails and writes nothing."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from snapshot.app import _OUTPUT_SECONDS as OUTPUT_SECONDS
from snapshot.errors import ApiError
from snapshot.job import Job

from tests.integration.deployment import Deployment
from tests.samples import payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi
from tests.timing import ends_within

JOBS = "/fine_tuning/jobs"


async def later(request: web.Request) -> web.StreamResponse:
    in_a_second = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    return await api_faults.status(429, Retry_After=in_a_second)(request)


TRANSIENT: dict[str, Handler] = {
    **{f"status {code}": api_faults.status(code) for code in (408, 409, 425, 429, 500, 502, 503, 504, 507, 522, 529)},
    "429 with seconds": api_faults.status(429, Retry_After="1"),
    "429 with fractions of seconds": api_faults.status(429, Retry_After="0.75"),
    "429 with milliseconds": api_faults.status(429, Retry_After_Ms="700", Retry_After="3600"),
    "429 with a date": later,
    "429 with nonsense": api_faults.status(429, Retry_After="soon"),
    "HTML with 502": api_faults.html(502),
    "HTML with 200": api_faults.html(200),
    "no body": api_faults.body(b""),
    "invalid UTF-8": api_faults.body(b'{"object":"list","data":[{"id":"\xff"}],"has_more":false}'),
    "half of the JSON": api_faults.body(b'{"object":"list","data":['),
    "a reset connection": api_faults.reset,
    "a truncated body": api_faults.truncated,
}
PAGE = r"^GET /fine_tuning/jobs page [123] \(request id req_\d+\): "


def page(*jobs: Any, **more: Any) -> Handler:
    return api_faults.body({"object": "list", "data": list(jobs), "has_more": False} | more)


def job(**fields: Any) -> Handler:
    return page(payload(999), payload(998) | fields)


PERMANENT: dict[str, tuple[Handler, str]] = {
    "400": (api_faults.status(400, "No."), r"status 400: No\."),
    "401": (api_faults.status(401, "Bad.", "invalid_api_key"), r"status 401: invalid_api_key: Bad\. .*make secret"),
    "403": (api_faults.status(403, "Missing scopes: api.fine_tuning.jobs.read"), "Missing scopes.*permission"),
    "401 for the organization": (
        api_faults.status(401, "Bad.", "mismatched_organization"),
        "status 401: mismatched_organization: Bad.*correct or remove `organization`",
    ),
    "403 for the region": (api_faults.status(403, "No.", "unsupported_country_region_territory"), "another AWS region"),
    "403 of a firewall": (
        api_faults.body("<html><title>Access\n denied</title></html>", 403, "text/html"),
        "status 403: Access denied\\. Check the key's permissions.* firewall",
    ),
    "404": (api_faults.status(404, "Invalid URL"), "no longer knows the job|Is the base_url right"),
    "429 for the quota": (api_faults.status(429, "No.", "insufficient_quota"), "check the account's billing"),
    "501": (api_faults.status(501, "No."), r"status 501: No\."),
    "304": (api_faults.body(b"", 304), "not usable"),
    "an error with 200": (api_faults.body({"error": {"code": "c", "message": "m"}}), "despite status 200: c: m"),
    **{
        f"{kind} for an object": (api_faults.body(text), "JSON, but not an object")
        for kind, text in {"array": "[]", "string": '"x"', "number": "1", "null": "null", "true": "true"}.items()
    },
    "50 MB of blanks": (api_faults.body(b" " * 50_000_000), "larger than 4 MiB"),
    "50 MB of blanks, compressed": (api_faults.compressed(b" " * 50_000_000), "larger than 4 MiB"),
    "the same page again and again": (
        page(payload(), has_more=True),
        "but no job is new: the server repeats",
    ),
    "an empty page with more": (page(has_more=True), "has_more is true, but no job is new"),
    "has_more of another type": (page(payload(), has_more="yes"), "has_more must be true or false"),
    "no data": (api_faults.body({"object": "list"}), "has no array named data"),
    "data of another type": (api_faults.body({"data": {}}), "has no array named data"),
    "an entry of another type": (page(payload(), 5), r"data\[1\] must be an object"),
    "no id": (job(id=None), r"data\[1\] must be an object whose id is a non-empty string"),
    "an id with a line feed": (job(id="a\nb"), r"data\[1\]\.id must be printable"),
    "no status": (job(status=None), r"data\[1\]\.status must be a non-empty string, not None"),
    "a status of another type": (job(status=3), r"data\[1\]\.status must be a non-empty string, not 3"),
    "no created_at": (job(created_at=None), r"data\[1\]\.created_at must be Unix time in seconds, not None"),
    **{
        f"created_at {kind}": (job(created_at=value), rf"data\[1\]\.created_at must be .*, not {value!r}")
        for kind, value in {
            "that is no time": "soon",
            "before 1970": -1,
            "after the year 9999": 10**30,
            "that is a boolean": True,
        }.items()
    },
}


def ids(deployment: Deployment) -> list[str]:
    return [row["id"] for row in deployment.rows()]


def assert_recovers(deployment: Deployment) -> None:
    assert deployment.run()["job_count"] == 250
    assert ids(deployment) == [job.id for job in deployment.api.jobs]


def assert_fails(deployment: Deployment, message: str, *, seconds: float = 300) -> None:
    with ends_within(seconds - OUTPUT_SECONDS + 1), pytest.raises(ApiError, match=f"(?s){message}"):
        deployment.run(seconds=seconds)
    assert deployment.objects() == {}
    assert deployment.output == ""  # no metric
    (line,) = (line for line in deployment.logged() if line["level"] == "ERROR")
    assert re.search(message, line["message"], re.DOTALL)


@pytest.fixture(autouse=True)
def secret(deployment: Deployment) -> None:
    deployment.put_simulated_secret()


@pytest.mark.parametrize("what", TRANSIENT)
def test_transient_fault_is_retried(what: str, deployment: Deployment) -> None:
    deployment.api.faults = [Fault(JOBS, TRANSIENT[what], skip=1)]
    assert_recovers(deployment)
    assert sum("after=" in path for path in deployment.api.requests) == 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_several_transient_faults_on_any_page_are_retried(number: int, deployment: Deployment) -> None:
    several = (api_faults.status(500), api_faults.html(502), api_faults.status(503))
    deployment.api.faults = [Fault(JOBS, handler, skip=number - 1) for handler in several]
    assert_recovers(deployment)


@pytest.mark.parametrize("what", TRANSIENT)
def test_lasting_fault_fails_before_the_time_limit(what: str, deployment: Deployment) -> None:
    deployment.api.faults = [Fault(JOBS, TRANSIENT[what], times=99, skip=1)]
    assert_fails(
        deployment,
        "^GET /fine_tuning/jobs page 2.*: .*(No time is left|did not arrive in time)",
        seconds=OUTPUT_SECONDS + 1,
    )


@pytest.mark.parametrize("what", PERMANENT)
def test_permanent_fault_fails_immediately(what: str, deployment: Deployment) -> None:
    handler, message = PERMANENT[what]
    deployment.api.faults = [Fault(JOBS, handler, times=99, skip=1)]
    assert_fails(deployment, PAGE + ".*" + message)


def test_unusual_but_valid_fields_reach_the_table(deployment: Deployment) -> None:
    """All of them: tests/unit/test_job.py."""
    fields = {
        "created_at": "2025-10-09T08:53:20.250Z",
        "error": [{"code": 5, "message": "a\r\nb"}, "c"],
        "training_file": ["file-\ud800", "file-b"],
        "trained_tokens": 5.0,
        "seed": [[1]],
    }
    deployment.api.jobs = [payload(2), payload(1, status="melting") | fields, payload(0)]
    deployment.run()
    (row,) = (row for row in deployment.rows() if row["id"] == payload(1)["id"])
    assert row.keys() == {*Job._fields}
    assert {name: row[name] for name in (*fields, "status")} == {
        "created_at": "2025-10-09T08:53:20.250Z",
        "error": "5: a b; c",
        "training_file": "file-?,file-b",
        "trained_tokens": "5",
        "seed": "",
        "status": "melting",
    }


def test_fields_of_a_wrong_type_are_counted_in_one_warning(deployment: Deployment) -> None:
    deployment.api.jobs = [payload(3, model=5, seed=[1]), payload(2, model={}), payload(1)]
    deployment.run()
    (line,) = (line for line in deployment.logged() if "wrong type" in line["message"])
    assert (line["level"], line["jobs"], line["fields"]) == ("WARNING", 2, {"model": 2, "seed": 1})


def test_an_unknown_status_counts_as_other(deployment: Deployment) -> None:
    deployment.api.jobs = [payload(2, status="melting"), payload(1, status="thawing")]
    assert deployment.run()["jobs_by_status"]["other"] == 2
    assert deployment.metrics()["JobCount", "other"] == 2


# --- No response ---


def test_short_outage_of_the_server_is_retried(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    later = SimulatedApi(deployment.api.jobs, key=deployment.api.key, port=port)
    starting = threading.Timer(0.3, later.__enter__)
    starting.start()
    deployment.put_secret(f'{{"api_key": "{later.key}", "base_url": "http://127.0.0.1:{port}/v1"}}', "later")
    try:
        assert deployment.run(source="later")["job_count"] == 250
    finally:
        starting.join()
        later.__exit__()


@pytest.mark.parametrize("handler", [api_faults.stalled, api_faults.silent])
def test_hanging_server_fails_before_the_time_limit(handler: Handler, deployment: Deployment) -> None:
    deployment.api.faults = [Fault(JOBS, handler, times=99, skip=2)]
    assert_fails(deployment, "^GET /fine_tuning/jobs page 3.*(time|Timeout)", seconds=OUTPUT_SECONDS + 1)


@pytest.mark.parametrize("handler", [api_faults.silent, api_faults.trickling])
def test_hanging_events_request_does_not_fail_the_run(handler: Handler, deployment: Deployment) -> None:
    deployment.api.faults = [Fault("/events", handler, times=99)]
    threads = threading.active_count()
    with ends_within(5):
        assert deployment.run(seconds=OUTPUT_SECONDS + 2)["job_count"] == 250
    assert threading.active_count() == threads


@pytest.mark.parametrize("handler", [api_faults.silent, api_faults.trickling])
def test_hanging_job_request_fails_before_the_time_limit(handler: Handler, deployment: Deployment) -> None:
    jobs = [payload(number) for number in range(200, 0, -1)]
    jobs[150] = jobs[150] | {"status": "paused", "finished_at": None}
    deployment.api.jobs = jobs
    deployment.run()
    deployment.api.faults = [Fault(jobs[150]["id"], handler, times=99)]
    with ends_within(5), pytest.raises(ApiError, match=r"had not arrived|time|Timeout"):
        deployment.run(seconds=OUTPUT_SECONDS + 2)


def test_retry_after_beyond_the_time_left_is_an_error(deployment: Deployment) -> None:
    deployment.api.faults = [Fault(JOBS, api_faults.status(429, "Slow down.", Retry_After="3600"), skip=1)]
    assert_fails(deployment, PAGE + r"status 429: Slow down\. No time is left", seconds=OUTPUT_SECONDS + 5)


def test_listing_without_time_left_reports_the_page_reached(deployment: Deployment) -> None:
    deployment.api.latency = 0.7
    assert_fails(deployment, "^GET /fine_tuning/jobs page [23].*(time|Timeout)", seconds=OUTPUT_SECONDS + 2)


# --- Redirects ---


@pytest.fixture
def elsewhere() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, deployment: Deployment, elsewhere: SimulatedApi) -> None:
    deployment.api.faults = [Fault(JOBS, api_faults.status(status, Location=elsewhere.base_url + JOBS), skip=1)]
    assert_fails(
        deployment, PAGE + rf"redirected \(status {status}\)\. Redirects are not followed, so that no other server gets"
    )
    assert elsewhere.requests == []


# --- Requests besides the list ---


@pytest.mark.parametrize("what", ["status 500", "HTML with 200", "a reset connection", "403", "no data"])
def test_failing_optional_requests_do_not_fail_the_run(what: str, deployment: Deployment) -> None:
    handler = TRANSIENT[what] if what in TRANSIENT else PERMANENT[what][0]
    deployment.api.faults = [Fault("/events", handler, times=99), Fault("/models", handler, times=99)]
    assert deployment.run(seconds=OUTPUT_SECONDS + 2)["job_count"] == 250
    warned = [line["message"] for line in deployment.logged() if line["level"] == "WARNING"]
    assert len([text for text in warned if re.search("newest event of|models' shutdown dates", text)]) == 2
