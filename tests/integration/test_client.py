"""Requests that go wrong, over real HTTP."""

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from snapshot import __version__
from snapshot.api.client import Client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi

JOBS = "/fine_tuning/jobs"


ODD_DATES = (
    "soon",
    "-5",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +99999999999999",
)


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("wish", "least", "most"), [("2", 2, 4), (in_seconds, 1, 4), (None, 0, 1.5), *((bad, 0, 1.5) for bad in ODD_DATES)]
)
def test_retry_after_is_obeyed(
    wish: str | Callable[[int], str] | None, least: float, most: float, api: SimulatedApi, client: Client
) -> None:
    wish = wish(2) if callable(wish) else wish
    api.faults = [Fault(JOBS, api_faults.status(429, Retry_After=wish) if wish else api_faults.status(429))]
    started = time.monotonic()
    client.get(JOBS)
    assert least <= time.monotonic() - started <= most


def test_a_wait_beyond_the_deadline_is_not_begun(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, api_faults.status(429, "Slow down.", Retry_After="3600"))]
    started = time.monotonic()
    with (
        Client(Credentials(api.key, api.base_url), Deadline(started + 5)) as client,
        pytest.raises(OutOfTimeError, match=r"status 429: Slow down\. No time is left"),
    ):
        client.get(JOBS)
    assert time.monotonic() - started < 1


def test_an_answer_that_never_ends_is_given_up_at_the_deadline(api: SimulatedApi) -> None:
    api.faults = [Fault(JOBS, api_faults.stalled)]
    started = time.monotonic()
    with (
        Client(Credentials(api.key, api.base_url), Deadline(started + 1)) as client,
        pytest.raises(OutOfTimeError, match="had not arrived in full"),
    ):
        client.get(JOBS)
    assert 1 <= time.monotonic() - started < 2


def test_attempts_end(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(503, "Overloaded."), times=2)]
    with pytest.raises(ApiError, match=r"status 503: Overloaded\. Given up after 2 attempts") as caught:
        client.get(JOBS, attempts=2)
    assert caught.value.status == 503


def test_nobody_listens(api: SimulatedApi) -> None:
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
def test_a_key_is_not_shown_where_a_text_is_cut(status: int, padding: str, api: SimulatedApi) -> None:
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


def test_a_very_long_message_is_told_soon(api: SimulatedApi, client: Client) -> None:
    api.faults = [Fault(JOBS, api_faults.status(400, "x" * 5_000_000))]
    started = time.monotonic()
    with pytest.raises(ApiError, match=r"status 400: x{400}…$"):
        client.get(JOBS)
    assert time.monotonic() - started < 5


def test_headers(api: SimulatedApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A .netrc with an entry for the host must not replace the key.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: dict[str, str] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.update(request.headers)
        return await api_faults.body({"data": []})(request)

    api.faults = [Fault(JOBS, answer)]
    with Client(Credentials(api.key, api.base_url, "org-1", "proj-1"), Deadline.after(60)) as client:
        client.get(JOBS)
    assert seen["Authorization"] == f"Bearer {api.key}"
    assert seen["OpenAI-Organization"] == "org-1"
    assert seen["OpenAI-Project"] == "proj-1"
    assert seen["User-Agent"] == f"fine-tuning-snapshots/{__version__}"
