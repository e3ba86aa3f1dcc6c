"""Faults of AWS at each call of a run: the run recovers, or fails in time and the next run repeats what is missing."""

import json
from collections import Counter

import pytest
from snapshot.errors import ApiError, OutOfTimeError, SecretError, SnapshotError

from tests.integration.deployment import Deployment
from tests.samples import at, payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault
from tests.sandbox.aws_faults import BY_PROXY, AwsFault, FlakyAws
from tests.sandbox.queues import Queue
from tests.timing import ends_within

CALLS = ("latest, read", "secret", "latest, looked at", "dated snapshot", "events", "latest, written")
TRANSIENT = ("500 InternalError", "503 SlowDown", "dropped before", "dropped after")
LASTING = ("403 AccessDenied", "503 SlowDown", "dropped before", "dropped after")
# The first two calls are concurrent, so their order is not fixed.
CONCURRENT = ("GET .*/latest/", "GetSecretValue")
EVERY_CALL = [pytest.param(number, id=name) for number, name in enumerate(CALLS)]
# The error names the call and its object.
NAMED = (
    r"GetObject of s3://.*/latest/default\.tsv",
    r"secret test-\w+/default (cannot be read: GetSecretValue|.* no value \(GetSecretValue)",
    r"HeadObject of s3://.*/latest/default\.tsv",
    r"PutObject of s3://.*/snapshots/source=",
    r"PutEvents on the bus bus-\w+|EventBridge refuses 5 of the changes: neither code nor EventId: - \(ftjob-",
    r"(PutObject|HeadObject) of s3://.*/latest/default\.tsv",
)
MALFORMED = (
    *((call, kind) for call in CALLS for kind in (*BY_PROXY, "403 html")),
    *((call, "404 html") for call in (CALLS[0], "secret", CALLS[3], "events")),
    *((call, kind) for call in (CALLS[0], CALLS[2]) for kind in ("no etag", "empty etag")),
    (CALLS[2], "bad date"),
    (CALLS[0], "cut in the middle"),
    (CALLS[3], "no etag"),
    (CALLS[5], "no etag"),
    ("secret", "cut in the middle"),
    ("secret", "neither text nor binary"),
    ("secret", "secret that is a number"),
    ("events", "cut in the middle"),
    ("events", "no results"),
    ("events", "fewer results"),
    ("events", "more results"),
    ("events", "results without an id"),
    ("events", "results that are null"),
    ("events", "results that are texts"),
    ("events", "failures that no result shows"),
)


def fault_at(call: int, kind: str, times: int) -> AwsFault:
    """Return a fault of the call at this place of CALLS, and of the following calls."""
    return AwsFault(kind, 0, times, CONCURRENT[call]) if call < len(CONCURRENT) else AwsFault(kind, call, times)


@pytest.fixture(autouse=True)
def five_changes(deployment: Deployment, bus: Queue, flaky: FlakyAws) -> None:
    """Take a first snapshot, then make five changes."""
    api = deployment.api
    api.jobs = [payload(number, status="running", finished_at=None) for number in range(5, 0, -1)]
    deployment.run(time=at(minutes=1))
    api.jobs = [payload(9, status="queued"), *(job | {"status": "failed"} for job in api.jobs[:3]), api.jobs[3]]
    assert (bus.receive(), flaky.hits) == ([], 0)


def assert_all_are_reported(deployment: Deployment, bus: Queue) -> None:
    sent = Counter(event["detail"]["status"] for event in bus.receive())
    assert sent.keys() == {"queued", "failed", "removed"}
    assert sent["failed"] >= 3
    rows = {row["id"]: row["status"] for row in deployment.rows()}
    assert rows == {job["id"]: job["status"] for job in deployment.api.jobs}


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("kind", TRANSIENT)
def test_transient_fault_is_retried(kind: str, call: int, deployment: Deployment, bus: Queue, flaky: FlakyAws) -> None:
    flaky.set(fault_at(call, kind, times=1))
    summary = deployment.run()
    assert (flaky.hits, summary["changes"]["JobsFailed"]) == (1, 3)
    assert_all_are_reported(deployment, bus)


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("kind", LASTING)
def test_lasting_aws_fault_is_reported_and_repaired_by_the_next_run(
    kind: str, call: int, deployment: Deployment, bus: Queue, flaky: FlakyAws
) -> None:
    before, output = deployment.objects(), deployment.output
    flaky.set(fault_at(call, kind, times=99))
    error_class = SecretError if CALLS[call] == "secret" else SnapshotError
    with pytest.raises(error_class, match=NAMED[call]) as caught:
        deployment.run()
    assert "the response cannot be used" not in str(caught.value)
    if (kind, CALLS[call]) != ("dropped after", "latest, written"):
        assert deployment.objects()["latest/default.tsv"] == before["latest/default.tsv"]
    assert (deployment.output == output) == (CALLS[call] != "latest, written")  # metrics only after everything else
    flaky.set(None)
    deployment.run()
    assert_all_are_reported(deployment, bus)


@pytest.mark.parametrize(("call", "kind"), MALFORMED)
def test_invalid_aws_response_is_reported_and_repaired_by_the_next_run(
    call: str, kind: str, deployment: Deployment, bus: Queue, flaky: FlakyAws
) -> None:
    number = CALLS.index(call)
    flaky.set(fault_at(number, kind, times=99))
    with pytest.raises(SnapshotError, match=NAMED[number]) as caught:
        deployment.run()
    assert len(str(caught.value)) < 1500  # without the HTML page
    assert deployment.api.key not in str(caught.value)
    assert ("has no value" in str(caught.value)) == (kind == "neither text nor binary")  # what the user must correct
    flaky.set(None)
    deployment.run()
    if (call, kind) != (CALLS[5], "no etag"):  # in that case the object was written
        assert_all_are_reported(deployment, bus)


@pytest.mark.parametrize("refusal", ["409 ConditionalRequestConflict", "412 PreconditionFailed", "404 NoSuchKey"])
def test_refused_condition_is_checked_against_latest(
    refusal: str, deployment: Deployment, bus: Queue, flaky: FlakyAws
) -> None:
    flaky.set(AwsFault(refusal, CALLS.index("latest, written"), times=1))
    deployment.run()
    assert_all_are_reported(deployment, bus)


def test_repeatedly_refused_condition_is_an_error(deployment: Deployment, flaky: FlakyAws) -> None:
    flaky.set(AwsFault("409 ConditionalRequestConflict", 0, times=99, only="PUT .*/latest/"))
    written = r"Written before that: the dated snapshot, all events, the metrics\."
    with pytest.raises(SnapshotError, match=rf"keep replacing its latest snapshot\. {written}"):
        deployment.run()


def test_an_error_after_the_output_says_what_was_written(deployment: Deployment, bus: Queue, flaky: FlakyAws) -> None:
    """Another run replaces `latest` at the last moment, and the next listing fails."""
    flaky.set(AwsFault("409 ConditionalRequestConflict", CALLS.index("latest, written"), times=1))
    deployment.api.faults = [Fault("/fine_tuning/jobs", api_faults.status(400, "No."), skip=1)]
    with pytest.raises(ApiError, match=r"status 400: No\. Written .*: the dated snapshot, all events, the metrics"):
        deployment.run()
    (error,) = (line for line in deployment.logged() if line["level"] == "ERROR")
    assert "othing was written" not in json.dumps(error)
    flaky.set(None)
    deployment.run()
    assert_all_are_reported(deployment, bus)


@pytest.mark.parametrize(
    "call", EVERY_CALL[:2]
)  # later calls hang when a minute is left, which is enough for their time-outs
def test_hanging_aws_call_fails_before_the_time_limit(
    call: int, deployment: Deployment, bus: Queue, flaky: FlakyAws
) -> None:
    flaky.set(fault_at(call, "held", times=99))
    message = r"time ran out in snapshot\.aws\.\S+\. Nothing was written; the next run tries again"
    with ends_within(8), pytest.raises(OutOfTimeError, match=message):
        deployment.run(seconds=8)
    flaky.set(None)
    deployment.run()
    assert_all_are_reported(deployment, bus)
