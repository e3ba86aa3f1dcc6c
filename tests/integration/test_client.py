"""Failing requests, over real HTTP."""

import base64
import json
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from snapshot import __version__
from snapshot.api import fine_tuning
from snapshot.api.ahead import ReadAhead
from snapshot.api.client import Client
from snapshot.api.pages import pages
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

from tests.samples import payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.timing import ends_within

JOBS = "/fine_tuning/jobs"


def test_retry_after_ms_has_priority(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(429, retry_after_ms="20", Retry_After="3600"))]
    client.get(JOBS)
    assert len(api.requests) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 529])
def test_transient_status_is_retried(status: int, api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(status))]
    client.get(JOBS)
    assert len(api.requests) == 2


@pytest.mark.parametrize("status", [201, 204, 206, 400, 402, 405, 410, 418, 422, 451, 501])
def test_permanent_status_fails_immediately(status: int, api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(status), times=9)]
    with pytest.raises(ApiError, match=f"status {status}: ") as caught:
        client.get(JOBS)
    assert caught.value.status == status
    assert len(api.requests) == 1


def test_wait_beyond_the_deadline_fails_immediately(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, api_faults.status(429, "Slow down.", Retry_After="3600"))]
    with (
        ends_within(1),
        Client(Credentials(api.key, api.base_url), Deadline.after(5)) as client,
        pytest.raises(OutOfTimeError, match=r"status 429: Slow down\. No time is left") as caught,
    ):
        client.get(JOBS)
    assert caught.value.status == 429


def test_every_attempt_counts_as_a_request(api: SimulatedApi, client: Client) -> None:
    assert client.requests_made == 0
    api.faults = [Fault(JOBS, api_faults.status(429, retry_after_ms="1"), times=2)]
    client.get(JOBS)
    assert client.requests_made == len(api.requests) == 3


def test_no_request_is_sent_after_the_deadline(api: SimulatedApi) -> None:
    with Client(Credentials(api.key, api.base_url), Deadline.after(0)) as client:
        with pytest.raises(OutOfTimeError, match=r"^GET /models, page 2: the invocation's time has run out"):
            client.get("/models", page=", page 2")
        assert client.requests_made == len(api.requests) == 0


def test_call_may_have_a_deadline_of_its_own(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.silent)]
    with ends_within(3), pytest.raises(OutOfTimeError, match=r"read timeout=0\.\d+\)\. No time is left"):
        client.get(JOBS, deadline=Deadline.after(0.2))
    assert len(api.requests) == 1


def test_endless_response_fails_at_the_deadline(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, api_faults.stalled)]
    with (
        ends_within(2, least=1),
        Client(Credentials(api.key, api.base_url), Deadline.after(1)) as client,
        pytest.raises(OutOfTimeError, match="had not arrived in full"),
    ):
        client.get(JOBS)


def test_events_and_models_have_a_minute_and_not_the_whole_run(api: SimulatedApi) -> None:
    slow_down = api_faults.status(429, "Slow down.", Retry_After="60")  # the longest accepted Retry-After
    api.faults = [Fault("/events", slow_down, times=9), Fault("/models", slow_down, times=9)]
    with Client(Credentials(api.key, api.base_url), Deadline.after(900)) as client:
        events = fine_tuning.NewestEvents(client)
        events.ask(["ftjob-1"])
        (outcome,) = events.times(["ftjob-1"]).values()
        assert "Slow down. No time is left" in str(outcome)
        with pytest.raises(OutOfTimeError, match=r"Slow down\. No time is left"):
            fine_tuning.models(client)()


def test_retries_are_limited(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(503, "Overloaded."), times=2)]
    with pytest.raises(ApiError, match=r"status 503: Overloaded\. Given up after 2 attempts") as caught:
        client.get(JOBS, attempts=2)
    assert caught.value.status == 503


def test_last_attempt_is_followed_by_no_wait(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, api_faults.status(503, "Overloaded.", Retry_After="60"))]
    with (
        ends_within(3),
        Client(Credentials(api.key, api.base_url), Deadline.after(5)) as client,
        pytest.raises(ApiError, match=r"Overloaded\. Given up after 1 attempts"),
    ):
        client.get(JOBS, attempts=1)


def test_refused_connection_is_an_error(api: SimulatedApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        Client(Credentials(api.key, f"http://127.0.0.1:{port}/v1"), Deadline.after(60)) as client,
        pytest.raises(ApiError, match=r"ConnectionError: .*refused.*Given up after 2 attempts"),
    ):
        client.get(JOBS, attempts=2)


@pytest.mark.parametrize("echo", ["{key}", "sk-simul********cdef", "{key}.", "'{key}'"])
def test_an_echoed_key_is_not_shown(echo: str, api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(400, f"Incorrect key: {echo.format(key=api.key)} found"))]
    with pytest.raises(ApiError, match=r"Incorrect key: \S*\[redacted\]\S* found") as caught:
        client.get(JOBS)
    assert "sk-" not in str(caught.value)
    assert "cdef" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 200])
@pytest.mark.parametrize("padding", ["x" * 55 + " ", "x" * 390 + " ", " " * 3960, "y ", "**** " * 800])
def test_key_is_not_shown_where_a_text_is_cut(status: int, padding: str, api: SimulatedApi) -> None:
    api.key = "azure" + "0123456789abcdef" * 60
    text = (padding + api.key + " ") * 5
    api.faults = [Fault(JOBS, api_faults.body(text, status, "text/plain"), times=2)]
    with (
        Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.get(JOBS, attempts=1)
    assert "azure" not in str(caught.value)
    assert "cdef" not in str(caught.value)


def test_very_long_message_is_processed_quickly(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(400, "x" * 5_000_000))]
    with ends_within(5), pytest.raises(ApiError, match=r"status 400: x{400}…$"):
        client.get(JOBS)


def test_requests_carry_the_key_and_the_account(
    api: SimulatedApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A .netrc with an entry for the host must not replace the key.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: dict[str, str] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.update(request.headers)
        return await api_faults.body({"data": []})(request)

    api.faults = [Fault(JOBS, handler)]
    with Client(Credentials(api.key, api.base_url, "org-1", "proj-1"), Deadline.after(60)) as client:
        client.get(JOBS)
    assert seen["Authorization"] == f"Bearer {api.key}"
    assert seen["OpenAI-Organization"] == "org-1"
    assert seen["OpenAI-Project"] == "proj-1"
    assert seen["User-Agent"] == f"fine-tuning-snapshots/{__version__}"


# --- Messages of errors ---

TITLED = "<!DOCTYPE html>\n<!-- <title>No</title> --><html lang=x><TITLE dir='ltr'>{title}</TITLE><p>Text</html>"


@pytest.mark.parametrize(
    ("content", "content_type", "message"),
    [
        (TITLED.format(title="502 Bad\n  Gateway"), "text/html", "status 403: 502 Bad Gateway. Check the key"),
        (
            TITLED.format(title="A &amp; B &lt;c&gt;&nbsp;&#x27;d&#39;"),
            "text/html",
            "403: A & B <c> 'd'. Check the",
        ),
        (TITLED.format(title="Plain"), "text/plain", "status 403: Plain. Check the key"),
        ("\ufeff" + TITLED.format(title="After a mark"), "text/html", "status 403: After a mark. Check the key"),
        ("<html><svg></svg><title>Lone</title>", "text/html", "status 403: Lone. Check the key"),
        (TITLED.format(title="x" * 500), "text/html", "status 403: x{400}…"),
        (TITLED.format(title="Key {key} is bad"), "text/html", r"status 403: Key \[redacted\] is bad. Check the key"),
        (TITLED.format(title="&#115;k-{short} is bad"), "text/html", r"status 403: \[redacted\] is bad. Check the key"),
        (TITLED.format(title=" "), "text/html", "status 403: <!DOCTYPE html>"),
        ("<html><body>No title</body></html>", "text/html", "status 403: <html><body>No title"),
        ("<html><title>No end", "text/html", "status 403: <html><title>No end"),
        (
            "<Error><title>T</title><Code>Denied</Code></Error>",
            "application/xml",
            "status 403: <Error><title>T</title>",
        ),
        ("upstream <title>x</title>", "text/plain", "status 403: upstream <title>"),
        ("no healthy upstream", "text/html", "status 403: no healthy upstream"),
        ('{"detail": "<html><title>x</title>"}', "application/json", 'status 403: {"detail"'),
        ('{"error": {"code": "c", "message": "m"}}', "text/html", "status 403: c: m. Check the key"),
        ('{"error": {"message": "cut o', "application/json", "status 403: cut o. Check the key"),
        ("", "text/html", "status 403: no message"),
    ],
)
def test_an_error_page_is_reported_by_its_title(
    content: str, content_type: str, message: str, api: SimulatedApi, client: Client
) -> None:
    content = content.replace("{key}", api.key).replace("{short}", api.key[3:])
    api.faults = [Fault(JOBS, api_faults.body(content, 403, content_type))]
    with pytest.raises(ApiError, match=message):
        client.get(JOBS)


PUT_KEY = r"valid key .*`make secret SOURCE=…`"
PERMISSION = r"Give the key the permission that the message names"
ORGANIZATION = r"correct or remove `organization` and `project` .*`make secret SOURCE=…`"
REGION = r"region of this request, whatever the key's permissions\. Deploy the stack in another AWS region"
ADDRESS = r"this IP address: allow it in the API's settings"
BILLING = r"Retries do not help: check the account's billing"
BASE_URL = "Is the base_url right"
ALL_ADVICE = (PUT_KEY, PERMISSION, ORGANIZATION, REGION, ADDRESS, BILLING, BASE_URL)
HEADER = "OpenAI-Organization header should match organization for API key"
SCOPES = (
    "You have insufficient permissions for this operation. Missing scopes: api.fine_tuning.jobs.read. Check that you "
    "have the correct role in your organization (Reader, Writer, Owner) and project (Member, Owner)."
)


@pytest.mark.parametrize(
    ("status", "code", "message", "advice"),
    [
        (401, "invalid_api_key", "Incorrect API key provided.", PUT_KEY),
        (401, None, "Access denied due to invalid subscription key or wrong API endpoint.", PUT_KEY),
        (401, None, "You must be a member of an organization to use the API", PUT_KEY),
        (401, "token_expired", "Expired.", PUT_KEY),
        (
            401,
            "mismatched_organization",
            "OpenAI-Organization header should match organization for API key",
            ORGANIZATION,
        ),
        (401, "mismatched_project", "OpenAI-Project header should match project for API key", ORGANIZATION),
        (401, None, HEADER, ORGANIZATION),
        (401, "invalid_organization", "No.", ORGANIZATION),
        (401, None, "No such organization: org-abc.", ORGANIZATION),
        (403, "invalid_project", "Bad.", ORGANIZATION),
        (404, "project_not_found", "Bad.", ORGANIZATION),
        (401, None, SCOPES, PERMISSION),
        (401, "missing_scope", SCOPES, PERMISSION),
        (403, None, SCOPES, PERMISSION),
        (403, "insufficient_permissions", "No.", PERMISSION),
        (401, "PermissionDenied", "Principal does not have access to API/Operation.", PERMISSION),
        (403, "unsupported_country_region_territory", "Country, region, or territory not supported", REGION),
        (403, None, "Country, region, or territory not supported", REGION),
        (400, None, "User location is not supported for the API use.", REGION),
        (401, "ip_not_authorized", "Your IP is not in the IP allowlist.", ADDRESS),
        (429, "insufficient_quota", "You exceeded your current quota.", BILLING),
        (429, "credit_balance_exhausted", "No credits.", BILLING),
        (429, "project_spend_limit_exceeded", "Limit.", BILLING),
        (402, None, "Insufficient balance", BILLING),
        (404, None, "Invalid URL (GET /fine_tuning/jobs)", BASE_URL),
        (400, "bad", "No.", None),
        (405, None, "Method not allowed", None),
    ],
)
def test_advice_follows_code_and_message(
    status: int, code: str | None, message: str, advice: str | None, api: SimulatedApi, client: Client
) -> None:
    api.faults = [Fault(JOBS, api_faults.status(status, message, code), times=9)]
    with pytest.raises(ApiError) as caught:
        client.get(JOBS, {"limit": 100})
    assert [text for text in ALL_ADVICE if re.search(text, str(caught.value))] == ([advice] if advice else [])
    assert caught.value.status == status
    assert len(api.requests) == 1


def test_billing_error_is_recognized_by_its_type(api: SimulatedApi, client: Client) -> None:
    error = {"error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "code": None}}
    api.faults = [Fault(JOBS, api_faults.body(error, 429), times=9)]
    with pytest.raises(ApiError, match=BILLING):
        client.get(JOBS)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "You exceeded your current quota, please check your plan and billing details.", "code": 429},
        {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"},
        {"message": "Rate limit reached.", "type": "insufficient_quota", "code": "rate_limit_exceeded"},
    ],
)
def test_rate_limit_is_not_a_billing_error(error: dict[str, Any], api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.body({"error": error}, 429))]
    client.get(JOBS)
    assert len(api.requests) == 2


def test_removed_cursor_does_not_blame_the_base_url(client: Client) -> None:
    with pytest.raises(ApiError, match="no longer knows the job") as caught:
        client.get(JOBS, {"limit": 100, "after": "ftjob-removed"})
    assert "base_url" not in str(caught.value)
    assert caught.value.status == 404


def test_removed_job_does_not_blame_the_base_url(client: Client) -> None:
    for path in ("/fine_tuning/jobs/ftjob-removed", "/fine_tuning/jobs/ftjob-removed/events"):
        with pytest.raises(ApiError, match="status 404") as caught:
            client.get(path)
        assert "base_url" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/v1/fine_tuning/jobs/", r"The target is http://127\.0\.0\.1:\d+/v1/fine_tuning/jobs/\. "),
        (
            "/v2/fine_tuning/jobs?token=v-secret#v-secret",
            r"The target is http://127\.0\.0\.1:\d+/v2/fine_tuning/jobs\. ",
        ),
        ("http://v-secret:v-secret@127.0.0.1:1/x?v-secret", r"The target is http://127\.0\.0\.1:1/x\. "),
        ("/login/{key}", r"The target is http://127\.0\.0\.1:\d+/login/\[redacted\]\. "),
        ("https://example.com/v-secret", r"gets the key\. Put the final address"),
        ("http://[v-secret", r"gets the key\. Put the final address"),
        ("http://127.0.0.1:v-secret/", r"gets the key\. Put the final address"),
        ("", r"gets the key\. Put the final address"),
    ],
)
def test_a_redirect_names_its_target_on_the_same_host(
    location: str, message: str, api: SimulatedApi, client: Client
) -> None:
    headers = {"Location": location.format(key=api.key)} if location else {}
    api.faults = [Fault(JOBS, api_faults.status(308, **headers), times=9)]
    with pytest.raises(ApiError, match=rf"redirected \(status 308\)\. Redirects are not followed.*{message}") as caught:
        client.get(JOBS, {"limit": 1})
    assert "v-secret" not in str(caught.value)
    assert "limit" not in str(caught.value)
    assert len(api.requests) == 1


def test_not_modified_is_not_a_redirect(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.body(b"", 304), times=9)]
    with pytest.raises(ApiError, match="response is not usable: status 304") as caught:
        client.get(JOBS)
    assert "redirected" not in str(caught.value)
    assert len(api.requests) == 1


# --- Bodies that are too large ---


@pytest.mark.parametrize("wrap", [api_faults.body, api_faults.compressed])
@pytest.mark.parametrize(("path", "mebibytes"), [(JOBS, 4), ("/models", 16)])
def test_a_body_over_the_limit_is_refused(
    path: str, mebibytes: int, wrap: Callable[[bytes], Handler], api: SimulatedApi, client: Client
) -> None:
    start, end = b'{"data": [', b"]}"
    largest = start + b" " * ((mebibytes << 20) - len(start + end)) + end
    api.faults = [Fault(path, wrap(largest)), Fault(path, wrap(largest + b" "), times=9)]
    assert client.get(path).body == {"data": []}
    with pytest.raises(ApiError, match=f"response is larger than {mebibytes} MiB"):
        client.get(path)
    assert len(api.requests) == 2


def test_a_large_body_of_a_transient_error_is_retried(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.body(b"x" * (5 << 20), 503, "text/plain"))]
    client.get(JOBS)
    assert len(api.requests) == 2


# --- Gateways ---


def test_own_headers_and_query_are_sent_with_every_request(api: SimulatedApi) -> None:
    seen: list[web.Request] = []

    def recording(body: dict[str, Any]) -> Handler:
        async def record(request: web.Request) -> web.StreamResponse:
            seen.append(request)
            return await api_faults.body(body)(request)

        return record

    empty = recording({"data": [], "has_more": False})
    api.faults = [Fault("/ftjob-1", recording({"id": "ftjob-1"})), *(Fault(at, empty) for at in (JOBS, "s", "s"))]
    headers = {"api-key": "k-1", "openai-organization": "org-2", "User-Agent": "gateway", "X-Name": "a b"}
    query = {"api-version": "preview", "a&name": "a b&c=ö"}
    credentials = Credentials(
        api.key, api.base_url, "org-1", default_headers=headers, default_query=query | {"limit": "7"}
    )
    with Client(credentials, Deadline.after(60)) as client:
        list(pages(client, ReadAhead(client)))
        fine_tuning.retrieve(client, ["ftjob-1"])
        events = fine_tuning.NewestEvents(client)
        events.ask(["ftjob-1"])
        events.times(["ftjob-1"])
        fine_tuning.models(client)()
    for request in seen:
        assert request.headers.getall("Authorization") == [f"Bearer {api.key}"]
        assert {name: request.headers.getall(name) for name in headers} == {name: [headers[name]] for name in headers}
        assert {name: request.query.getall(name) for name in query} == {name: [query[name]] for name in query}
    assert [request.query["limit"] for request in seen] == [
        "100",
        "7",
        "1",
        "7",
    ]  # a request's own parameter has priority


@pytest.mark.parametrize("paging", ["after", "page", "none"])
def test_a_client_knows_the_paging(paging: str, api: SimulatedApi) -> None:
    with Client(Credentials(api.key, api.base_url, paging=paging), Deadline.after(60)) as client:
        assert client.paging == paging
        with pytest.raises(AttributeError):
            client.paging = "none"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "no-such-host.invalid",
            r"the host no-such-host\.invalid was not found \(check the base_url\)\. Given up",
        ),
        ("127.0.0.1:9", r"the host 127\.0\.0\.1 refused the connection at port 9 "),
    ],
)
def test_an_unreachable_host_is_named(host: str, message: str) -> None:
    with (
        Client(Credentials("sk-12345678", f"https://{host}/v1"), Deadline.after(20)) as client,
        pytest.raises(ApiError, match=message),
    ):
        client.get(JOBS, attempts=1)


def test_connecting_ends_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapshot.api.client._CONNECT_TIMEOUT_SECONDS", 0.2)
    with ExitStack() as sockets:
        busy = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host, port = busy.getsockname()
        for _ in range(3):  # more connections than its queue holds
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        with (
            Client(Credentials("sk-12345678", f"http://{host}:{port}/v1"), Deadline.after(5)) as client,
            ends_within(3),
            pytest.raises(ApiError, match=rf"ConnectTimeout: the host {host} did not accept .* port {port} in time\."),
        ):
            client.get(JOBS, attempts=1)


def test_waiting_for_a_response_ends_at_its_time_limit(api: SimulatedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapshot.api.client._READ_TIMEOUT_SECONDS", 0.2)
    api.faults = [Fault(JOBS, api_faults.silent)]
    with (
        Client(Credentials(api.key, api.base_url), Deadline.after(5)) as client,
        pytest.raises(ApiError, match=r"Read timed out\. \(read timeout=0\.2\)"),
    ):
        client.get(JOBS, attempts=1)


# --- Certificates and proxies of the environment ---


def test_a_server_without_a_known_certificate_does_not_get_the_key(aws: EmbeddedAws) -> None:
    with (
        Client(Credentials("sk-12345678", aws.endpoint), Deadline.after(20)) as client,
        pytest.raises(ApiError, match=r"SSLError: .*certificate verify failed"),
    ):
        client.get(JOBS, attempts=1)


def test_certificates_of_the_environment_are_known(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(aws.certificate))
    with (
        Client(Credentials("sk-12345678", aws.endpoint), Deadline.after(20)) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.get(JOBS, attempts=1)
    assert caught.value.status is not None  # the server has responded


def test_missing_certificate_bundle_fails_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with (
        Client(Credentials("sk-12345678", "https://127.0.0.1:9"), Deadline.after(20)) as client,
        pytest.raises(ApiError, match=r"OSError: Could not find .*bundle\.pem"),
    ):
        client.get(JOBS)


def test_the_proxy_of_the_environment_is_used_for_https_only(
    api: SimulatedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, "" if name == "no_proxy" else "http://user:p-secret@127.0.0.1:9")
    with (
        Client(Credentials(api.key, "https://example.com/v1"), Deadline.after(20)) as client,
        pytest.raises(ApiError, match="ProxyError: ") as caught,
    ):
        client.get(JOBS, attempts=1)
    assert "p-secret" not in str(caught.value)
    with Client(Credentials(api.key, api.base_url), Deadline.after(20)) as client:
        assert client.get(JOBS, {"limit": 1}).body["data"]


def test_connection_error_does_not_show_the_query(api: SimulatedApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    credentials = Credentials(api.key, f"http://127.0.0.1:{port}/v1", default_query={"key": "q-secret"})
    with (
        Client(credentials, Deadline.after(60)) as client,
        pytest.raises(ApiError, match="refused") as caught,
    ):
        client.get(JOBS, attempts=1)
    assert "q-secret" not in "".join(traceback.format_exception(caught.value))  # also not in the error's cause


def test_a_header_that_cannot_be_sent_is_not_shown(api: SimulatedApi) -> None:
    credentials = Credentials(api.key, api.base_url, default_headers={"X-Name": "h-secret\nx"})
    with (
        Client(credentials, Deadline.after(60)) as client,
        pytest.raises(ApiError, match="InvalidHeader: ") as caught,
    ):
        client.get(JOBS)
    assert "h-secret" not in "".join(traceback.format_exception(caught.value))
    assert api.requests == []


def test_invalid_json_is_shown_without_the_gateway_s_values(api: SimulatedApi) -> None:
    """It may be part of a job, because it does not look like a secret."""
    api.faults = [Fault(JOBS, api_faults.body("no-secret-word is down", 200, "text/plain"))]
    credentials = Credentials(api.key, api.base_url, default_headers={"X-Region": "no-secret-word"})
    with (
        Client(credentials, Deadline.after(60)) as client,
        pytest.raises(ApiError, match=r"^GET /fine_tuning/jobs .*not JSON .*begin with '\[redacted\] is down'"),
    ):
        client.get(JOBS, attempts=1)


# --- Single jobs ---


def test_retrieved_jobs_keep_their_own_labels(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(2, status="failed", error={"code": "c", "message": "m"}), payload(1)]
    job_ids = [job["id"] for job in api.jobs]
    retrieved = fine_tuning.retrieve(client, job_ids)
    assert retrieved is not None
    assert [body for _, body in retrieved] == api.jobs
    for job_id, (label, _) in zip(job_ids, retrieved, strict=True):
        assert label.startswith(f"GET /fine_tuning/jobs/{job_id} (request id")
    api.faults = [Fault(job_ids[0], api_faults.body(api.jobs[1]))]
    assert fine_tuning.retrieve(client, job_ids) is None
    assert fine_tuning.retrieve(client, ["ftjob-removed"]) is None


@pytest.mark.parametrize("job_id", ["a/b", "a?b#c", "a%2Fb", "ü"])
def test_job_id_of_any_characters_is_one_part_of_the_path(job_id: str, api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(1, id=job_id)]
    retrieved = fine_tuning.retrieve(client, [job_id])
    assert retrieved is not None
    assert retrieved[0][1]["id"] == job_id


def test_events_are_requested_at_most_twice(api: SimulatedApi, client: Client) -> None:
    api.jobs = [payload(1)]
    api.faults = [Fault("/events", api_faults.status(500), times=99)]
    events, job_id = fine_tuning.NewestEvents(client), api.jobs[0].id
    events.ask([job_id])
    assert isinstance(events.times([job_id])[job_id], ApiError)
    assert len(api.requests) == 2


# --- Models ---


@pytest.mark.parametrize("order", [1, -1])
def test_model_named_twice_keeps_its_date(order: int, api: SimulatedApi, client: Client) -> None:
    entries = [{"id": "a", "shutdown_date": "2030-01-01"}, {"id": "a"}, {"id": "b", "owner": {"id": "a"}}]
    entries += [{"id": "c\ud800"}, {"id": "d", "shutdown_date": "soon"}, {"name": "e"}]
    api.faults = [Fault("/models", api_faults.body({"data": entries[::order]}))]
    models = fine_tuning.models(client)()
    assert models.shutdown_dates == {b"a": b"2030-01-01", b"b": None, b"c?": None, b"d": None}
    assert models.unreadable_entries == 2


def test_number_of_thousands_of_digits_hides_no_model(api: SimulatedApi, client: Client) -> None:
    body = f'{{"data": [{{"id": "a", "shutdown_date": "2030-01-01", "created": {"9" * 5000}}}]}}'
    api.faults = [Fault("/models", api_faults.body(body))]
    assert fine_tuning.models(client)().shutdown_dates == {b"a": b"2030-01-01"}


def test_models_that_do_not_arrive_in_time_are_named_in_the_error(api: SimulatedApi) -> None:
    api.faults = [Fault("/models", api_faults.trickling)]
    with Client(Credentials(api.key, api.base_url), Deadline.after(0.2)) as client:
        models = fine_tuning.models(client)
        with pytest.raises(OutOfTimeError, match=r"^GET /models: the response did not arrive in time"):
            models()


# --- Threads ---


def left_after(seconds: float, before: set[threading.Thread]) -> set[threading.Thread]:
    end = time.monotonic() + seconds
    while (left := {*threading.enumerate()} - before) and time.monotonic() < end:
        time.sleep(0.01)
    return left


@pytest.mark.parametrize("handler", [api_faults.silent, api_faults.trickling, api_faults.stalled])
def test_no_thread_of_a_hanging_call_outlives_the_client(handler: Handler, api: SimulatedApi) -> None:
    api.faults = [Fault("/slow", handler, times=99)]
    before = {*threading.enumerate()}
    with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
        slow = {str(number): client.calls.start(client.get, "/slow") for number in range(20)}
        outcomes = client.calls.results(slow, Deadline.after(0.5))
        assert {type(outcome) for outcome in outcomes.values()} == {OutOfTimeError}
        assert len({*threading.enumerate()} - before) == 8
        client.get(JOBS)  # other calls continue
    assert left_after(1, before) == set()


def test_no_thread_waiting_for_a_retry_outlives_the_client(api: SimulatedApi) -> None:
    api.faults = [Fault("/slow", api_faults.status(429, Retry_After="50"), times=99)]
    before = {*threading.enumerate()}
    with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
        slow = {name: client.calls.start(client.get, "/slow") for name in ("a", "b")}
        client.calls.results(slow, Deadline.after(0.5))
        assert len({*threading.enumerate()} - before) == 2
    assert left_after(1, before) == set()
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    "written",
    [
        lambda body, key: body.replace(key, key.replace("+", r"\u002B")).encode(),
        lambda body, _key: body.encode("utf-16"),
        lambda body, key: body.replace(key, quote(key, safe="")).encode(),
        lambda body, key: body.replace(key, base64.b64encode(key.encode()).decode()).encode(),
    ],
    ids=["escaped", "UTF-16", "URL", "base64"],
)
def test_a_key_is_found_in_a_response_however_it_is_written(
    written: Callable[[str, str], bytes], api: SimulatedApi
) -> None:
    api.key = "sig/ab+cd/EF0123456789=="
    body = written(json.dumps({"id": "a", "echo": f"of {api.key}"}), api.key)
    api.faults = [Fault(JOBS, api_faults.body(body))]
    with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
        assert client.get(JOBS).body == {"id": "a", "echo": "of [redacted]"}


def test_error_code_of_any_length_is_processed_quickly(api: SimulatedApi, client: Client) -> None:
    """A slow regular expression would delay the run beyond the time limit: no signal interrupts it."""
    api.faults = [Fault(JOBS, api_faults.status(400, "No.", "mismatch" * 50_000))]
    with pytest.raises(ApiError, match="status 400"):
        client.get(JOBS)
