"""Generated inputs of every kind, over real HTTP: the result is a table or a SnapshotError, and nothing else."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from snapshot import table
from snapshot.api.client import Client
from snapshot.aws import snapshots
from snapshot.credentials import Credentials, parse
from snapshot.deadline import Deadline
from snapshot.errors import EventError, SecretError, SnapshotError
from snapshot.job import Job
from snapshot.listing import list_jobs
from snapshot.settings import Run
from snapshot.table import Line

from tests.fuzz import anything, examples
from tests.integration.deployment import Deployment
from tests.samples import file_of, lines_of, payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi

JOBS = [payload(30, status="running", finished_at=None, fine_tuned_model="ft:x")]
JOBS += [payload(number) for number in range(29, 0, -1)]
JOBS[-1] |= {"status": "running", "finished_at": None}  # below the first page, so it is retrieved
RETRIEVED = JOBS[-1]["id"]
PATHS = ("/fine_tuning/jobs", RETRIEVED, "/events", "/models")
# Failures of the other requests lead to a warning only, and the last known values stay.
MAY_FAIL = PATHS[:2]

same_api = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def asked() -> Iterator[SimulatedApi]:
    with SimulatedApi(JOBS) as api:
        api.largest_page = 25
        yield api


@pytest.fixture(scope="module")
def before(asked: SimulatedApi) -> list[Line]:
    """The table without any fault."""
    with Client(Credentials(asked.key, asked.base_url), Deadline.after(60)) as client:
        return list_jobs(client, [], full=True).lines


def list_with(
    api: SimulatedApi, before: list[Line], path: str, answer: Any, *, full: bool = False, seconds: float = 20
) -> list[Line] | None:
    """Return the table if requests for `path` get this response; None if the listing fails with a SnapshotError."""
    api.faults = [Fault(path, answer, times=99)]
    with Client(Credentials(api.key, api.base_url), Deadline.after(seconds)) as client:
        try:
            lines = list_jobs(client, before, full=full).lines
        except SnapshotError as error:
            str(error).encode()  # it can be logged
            return None
    assert len({*map(table.job_id, lines)}) == len(lines)
    assert all(line.count(b"\t") == len(Job._fields) - 1 and line.count(b"\n") == 0 for line in lines)
    assert lines_of(file_of(lines)) == lines
    return lines


def list_without_retries(api: SimulatedApi, before: list[Line], path: str, answer: Any) -> list[Line] | None:
    """Do the same without time for retries, to be quick; with time for them if that fails on a slow machine."""
    lines = list_with(api, before, path, answer, seconds=0.2)
    return lines if lines is not None or path in MAY_FAIL else list_with(api, before, path, answer)


# --- Responses of the API ---

jobs = st.builds(
    lambda number, fields: payload(number, **fields),
    st.integers(1, 40),
    st.dictionaries(st.sampled_from(Job._fields), anything, max_size=2),
)
models = st.fixed_dictionaries(
    {}, optional={"id": anything | st.text(), "shutdown_date": anything | st.dates().map(str), "owned_by": anything}
)
job_events = st.fixed_dictionaries({"id": st.text()}, optional={"created_at": anything | st.integers(0, 2**33)})
lists = st.fixed_dictionaries(
    {"data": anything | st.lists(jobs | models | job_events | anything, max_size=4)},
    optional={"has_more": anything | st.booleans(), "error": anything, "object": anything},
)
retrieved = st.dictionaries(st.sampled_from(Job._fields), anything, max_size=2).map(
    lambda fields: JOBS[-1] | fields | {"id": RETRIEVED}
)


@settings(same_api, max_examples=examples(150))
@given(path=st.sampled_from(PATHS), answer=lists | retrieved | jobs | anything, full=st.booleans())
@example(path="/models", answer={"id": "a", "data": [{"id": "a", "shutdown_date": {"id": "b"}}]}, full=False)
@example(path="/fine_tuning/jobs", answer={"data": [payload(1, trained_tokens=10**400)], "has_more": False}, full=True)
def test_any_json_response_is_a_table_or_an_error(
    path: str, answer: Any, full: bool, asked: SimulatedApi, before: list[Line]
) -> None:
    content = json.dumps(answer).encode()
    lines = list_with(asked, before, path, api_faults.body(content), full=full)
    assert lines is not None or path in MAY_FAIL
    if path not in MAY_FAIL:
        assert lines is not None
        assert [*map(table.job_id, lines)] == [*map(table.job_id, before)]


ONE = json.dumps({"object": "list", "data": [JOBS[0]], "has_more": False}).encode()
MALFORMED = (
    ONE.replace(b'"running"', b'"run\xff"'),
    ONE.replace(b'"running"', b'"run\xed\xa0\x80"'),  # a surrogate, which json.loads accepts
    *(ONE.replace(str(JOBS[0]["created_at"]).encode(), number) for number in (b"1e999", b"NaN", b"9" * 5000, b"-0.0")),
    b"[" * 100_000,
    b'{"data":' * 100_000,
    ONE.decode().encode("utf-16"),
    ONE.decode().encode("utf-8-sig"),
    ONE + b"\0",
)
corrupted = st.builds(
    lambda start, length, junk: ONE[:start] + junk + ONE[start + length :],
    st.integers(0, len(ONE)),
    st.integers(0, 20),
    st.binary(max_size=20),
)


@settings(same_api, max_examples=examples(50))
@given(path=st.sampled_from(PATHS), content=st.sampled_from(MALFORMED) | corrupted | st.binary())
def test_any_bytes_in_a_response_are_an_error(
    path: str, content: bytes, asked: SimulatedApi, before: list[Line]
) -> None:
    lines = list_without_retries(asked, before, path, api_faults.body(content))
    assert lines is not None or path in MAY_FAIL


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_responses_are_errors(path: str, content: bytes, asked: SimulatedApi, before: list[Line]) -> None:
    lines = list_without_retries(asked, before, path, api_faults.body(content))
    assert lines is not None or path in MAY_FAIL


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "unheard-of"])
def test_wrong_content_encoding_is_an_error(coding: str, asked: SimulatedApi, before: list[Line]) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=ONE, headers={"Content-Encoding": coding, "Content-Type": "application/json"})

    for path in PATHS:
        lines = list_without_retries(asked, before, path, answer)
        assert lines is not None or path in MAY_FAIL


@pytest.mark.parametrize("path", [*MAY_FAIL, "/events"])
@pytest.mark.parametrize("field", ["created_at", "metadata"])
def test_json_of_any_depth_is_handled(path: str, field: str, asked: SimulatedApi, before: list[Line]) -> None:
    """Near the depth at which json.loads fails: what it still accepts must not be too deep for later code."""
    for depth in range(900, 1000, 4):
        deep = b"[" * depth + b"]" * depth if field == "created_at" else b'{"a":' * depth + b"1" + b"}" * depth
        job = json.dumps(JOBS[-1] | {field: "deep"}).encode().replace(b'"deep"', deep)
        content = job if path == RETRIEVED else b'{"data":[' + job + b'],"has_more":false}'
        lines = list_without_retries(asked, before, path, api_faults.body(content))
        assert lines is not None or path in MAY_FAIL


# --- Other inputs of a run ---

times = st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat)
near = st.timedeltas(timedelta(days=-1, minutes=-1), timedelta(minutes=16)).map(
    lambda delta: (datetime.now(UTC) + delta).isoformat()
)
event_fields = {
    "source": anything | st.from_regex(r"[A-Za-z0-9_-]{1,70}"),
    "time": anything | times | near | st.builds("{}{}".format, times, st.text(max_size=2)),
    "full": anything | st.booleans(),
}
bare_events = st.fixed_dictionaries({}, optional=event_fields)
wrapped_events = st.fixed_dictionaries(
    {"detail-type": anything}, optional=event_fields | {"detail": anything | bare_events}
)


@settings(max_examples=examples(250), deadline=None)
@given(anything | bare_events | wrapped_events)
@example({"time": "0001-01-01\ud80000:00:00+00:00"})
def test_any_event_is_a_run_or_an_error(event: Any) -> None:
    try:
        run = Run.parse(event)
    except EventError as error:
        str(error).encode()
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", run.source)
    assert run.time.utcoffset() == timedelta(0)
    assert timedelta(hours=-24, seconds=-2) <= run.time - datetime.now(UTC) <= timedelta(minutes=15)


visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=200)
nearly_visible = visible | st.text(st.characters(max_codepoint=0x2FF), min_size=1)
secrets = visible | st.fixed_dictionaries(
    {"api_key": nearly_visible},
    optional={"organization": st.none() | nearly_visible, "project": st.none() | nearly_visible},
).map(json.dumps)


@settings(same_api, max_examples=examples(100))
@given(secret=secrets)
def test_an_accepted_key_arrives_as_it_is(secret: str, asked: SimulatedApi) -> None:
    try:
        credentials = parse("n", secret, asked.base_url)
    except SecretError:
        return
    seen: dict[str, str] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.update(request.headers)
        return await api_faults.body(ONE)(request)

    asked.faults = [Fault("/models", answer)]
    with Client(credentials, Deadline.after(20)) as client:
        client.get("/models")
    assert seen["Authorization"] == f"Bearer {credentials.api_key}"
    assert seen.get("OpenAI-Organization", "") == credentials.organization
    assert seen.get("OpenAI-Project", "") == credentials.project
    given_key = json.loads(secret)["api_key"] if secret.startswith("{") else secret
    assert credentials.api_key == given_key.strip()


def edited(lines: list[Line], place: int, column: int, text: str) -> bytes:
    fields = lines[place].split(b"\t")
    fields[column] = text.encode()
    return file_of([*lines[:place], Line(b"\t".join(fields)), *lines[place + 1 :]])


stamps = st.sampled_from(["", "yesterday", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
utf_8 = st.text(st.characters(codec="utf-8"), max_size=20) | times


@pytest.fixture
def good(deployment: Deployment) -> tuple[list[Line], str]:
    """The lines and the fingerprint (`view`) of a valid `latest`."""
    deployment.api.jobs, deployment.api.largest_page = JOBS, 25
    deployment.put_simulated_secret()
    deployment.run(full=True)
    answer = deployment.s3.get_object(Bucket=deployment.bucket, Key="latest/default.tsv")
    return lines_of(answer["Body"].read()), answer["Metadata"]["view"]


@settings(same_api, max_examples=examples(15))
@given(data=st.data(), stamp=stamps, same_view=st.booleans())
def test_any_content_of_latest_is_handled(
    data: st.DataObject,
    stamp: str,
    same_view: bool,
    deployment: Deployment,
    good: tuple[list[Line], str],
) -> None:
    lines, view = good
    deployment.output = ""  # it is searched for the key after each run
    deployment.log.seek(0)
    deployment.log.truncate()
    edits = st.builds(edited, st.just(lines), st.integers(0, len(lines) - 1), st.integers(0, 11), utf_8)
    bodies = edits | st.binary() | st.binary().map(lambda junk: file_of([*lines, Line(junk)]))
    deployment.s3.put_object(
        Bucket=deployment.bucket,
        Key="latest/default.tsv",
        Body=data.draw(bodies),
        Metadata={"snapshot-time": stamp, "view": view if same_view else "another"},
    )
    latest = snapshots.read_latest(deployment.bucket, "default")
    assert latest is not None
    summary = deployment.run()  # with any stamp: one in the future is ignored
    assert summary["job_count"] >= len(JOBS) - 1
    deployment.run(full=True)
    latest = snapshots.read_latest(deployment.bucket, "default")
    assert latest is not None
    assert [*map(table.job_id, latest.lines or [])] == [job["id"] for job in JOBS]
