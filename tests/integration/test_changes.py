"""Changes become events and metrics, at least once, whatever happens to a run."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiohttp import web
from snapshot import events
from snapshot.changes import Changes, JobChange
from snapshot.errors import SnapshotError
from snapshot.events import Origin
from snapshot.job import parse

from tests.integration import crash
from tests.integration.conftest import Deployment
from tests.samples import at, payload
from tests.sandbox import faults
from tests.sandbox.api import Fault
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.queues import Queue

NO_CHANGES = {
    "JobCountChange": 0,
    "JobsCreated": 0,
    "JobsSucceeded": 0,
    "JobsFailed": 0,
    "JobsCancelled": 0,
    "JobsRemoved": 0,
}


def let_things_happen(deployment: Deployment) -> None:
    """One job fails, one succeeds, one is created and one is gone."""
    api = deployment.api
    now = int(api.now)
    api.jobs = [payload(9, created_at=now, status="queued", finished_at=None), *api.jobs[:-1]]
    api.jobs[1] = {**api.jobs[1], "status": "failed", "finished_at": now, "error": {"code": "c", "message": "m"}}
    api.jobs[2] = {**api.jobs[2], "status": "succeeded", "finished_at": now, "fine_tuned_model": "ft:2"}


def start_with_a_snapshot(deployment: Deployment) -> None:
    deployment.api.jobs = [payload(number, status="running", finished_at=None) for number in range(5, 0, -1)]
    deployment.run()


def test_the_first_snapshot_tells_nothing(deployment: Deployment, bus: Queue) -> None:
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []
    assert {name: deployment.metrics()[name, ""] for name in NO_CHANGES} == NO_CHANGES


def test_every_change_is_an_event_and_is_counted(deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    let_things_happen(deployment)
    summary = deployment.run()
    assert summary["changes"] == {
        "JobCountChange": 2,
        "JobsCreated": 1,
        "JobsSucceeded": 1,
        "JobsFailed": 1,
        "JobsCancelled": 0,
        "JobsRemoved": 1,
    }
    assert {name: deployment.metrics()[name, ""] for name in NO_CHANGES} == summary["changes"]
    told = bus.receive()
    assert {event["detail-type"] for event in told} == {"Fine-Tuning Job State Change"}
    assert {tuple(event["resources"]) for event in told} == {
        ("arn:aws:lambda:us-east-1:000000000000:function:function",)
    }
    failed = next(event["detail"] for event in told if event["detail"]["status"] == "failed")
    rows = {row["id"]: row for row in deployment.rows()}
    assert failed == {
        "snapshot_source": "default",
        "job_id": failed["job_id"],
        "model": "gpt-4o-mini-2024-07-18",
        "fine_tuned_model": "",
        "status": "failed",
        "previous_status": "running",
        "created_at": rows[failed["job_id"]]["created_at"],
        "updated_at": rows[failed["job_id"]]["updated_at"],
        "error": "c: m",
        "snapshot_key": summary["key"],
    }
    assert Counter((event["detail"]["status"], event["detail"]["previous_status"]) for event in told) == Counter(
        [("failed", "running"), ("succeeded", "running"), ("queued", None), ("removed", "running")]
    )
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []


def test_an_announced_shutdown_is_an_event(deployment: Deployment, bus: Queue) -> None:
    deployment.api.jobs = [payload(number, fine_tuned_model=f"ft:{number}") for number in range(25, 0, -1)]
    deployment.api.announced = {"gpt-4o-mini-2024-07-18": None}
    deployment.run()
    deployment.api.announced = {"gpt-4o-mini-2024-07-18": "2027-01-14"}
    key = deployment.run()["key"]
    (event,) = bus.receive()
    assert event["detail-type"] == "Fine-Tuned Model Shutdown Announced"
    assert event["detail"] == {
        "snapshot_source": "default",
        "model": "gpt-4o-mini-2024-07-18",
        "shutdown_date": "2027-01-14",
        "previous_shutdown_date": "",
        "fine_tuned_models": [f"ft:{number}" for number in range(25, 5, -1)],
        "fine_tuned_model_count": 25,
        "snapshot_key": key,
    }


def test_25_changes_at_once_are_25_events(deployment: Deployment, bus: Queue) -> None:
    deployment.run()
    now = int(deployment.api.now)
    deployment.api.jobs = [payload(number, created_at=now) for number in range(25)] + deployment.api.jobs
    assert deployment.run()["changes"]["JobsCreated"] == 25
    assert len({event["detail"]["job_id"] for event in bus.receive()}) == 25


# --- Whose jobs they are ---


def rekey(deployment: Deployment, key: str) -> None:
    deployment.api.key = key
    deployment.put_simulated_secret()


def test_a_rotated_key_keeps_its_history(deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    rekey(deployment, "sk-rotated-0123456789abcdef")
    let_things_happen(deployment)
    assert deployment.run()["changes"]["JobsFailed"] == 1
    assert len(bus.receive()) == 4


def test_another_account_starts_afresh(deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    rekey(deployment, "sk-another-0123456789abcdef")
    deployment.api.jobs = [payload(number) for number in range(300, 200, -1)]
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []
    assert any("another account" in line["message"] for line in deployment.logged())
    assert len(deployment.rows()) == 100


def test_the_same_account_with_all_jobs_replaced_tells_it(deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    deployment.api.jobs = [payload(number) for number in range(300, 200, -1)]
    assert deployment.run()["changes"]["JobCountChange"] == 105
    assert len(bus.receive()) == 105


def test_what_the_api_s_list_has_lost_stands_in_the_history(deployment: Deployment, bus: Queue) -> None:
    """A project was closed, or a retention period is over: only the full listing sees it."""
    deployment.api.jobs = [payload(number) for number in range(250, 0, -1)]
    first = deployment.run(time=at(minutes=9))["key"]
    before = deployment.objects()[first]
    deployment.api.jobs = deployment.api.jobs[:100]
    assert deployment.run(time=at(minutes=6), full=True)["changes"] == NO_CHANGES | {
        "JobsRemoved": 150,
        "JobCountChange": 150,
    }
    deployment.api.jobs = []
    summary = deployment.run(time=at(minutes=3), full=True)
    assert (summary["job_count"], summary["changes"]["JobsRemoved"]) == (0, 100)
    told = bus.receive()
    assert {event["detail"]["status"] for event in told} == {"removed"}
    assert len({event["detail"]["job_id"] for event in told}) == 250
    assert deployment.objects()[first] == before


# --- Beside another run ---


def test_what_an_older_run_told_meanwhile_is_taken_back(deployment: Deployment, bus: Queue) -> None:
    """It has told that a job paused and that another came; ours, in the end, finds neither."""
    start_with_a_snapshot(deployment)
    before = deployment.objects()["latest/default.tsv"]
    paused = before.replace(b"running", b"paused", 1).replace(b"ftjob-000000000000000000000005", b"ftjob-9")
    older = at(seconds=1)
    latest = {"Bucket": deployment.bucket, "Key": "latest/default.tsv"}
    metadata = deployment.s3.head_object(**latest)["Metadata"] | {"snapshot-time": older}

    async def overtaken(request: web.Request) -> web.StreamResponse:
        deployment.s3.put_object(**latest, Body=paused, Metadata=metadata)
        return await faults.status(500)(request)

    deployment.api.faults = [Fault("/fine_tuning/jobs", overtaken)]
    summary = deployment.run()
    told = [(event["detail"]["job_id"], event["detail"]["status"]) for event in bus.receive()]
    assert sorted(told) == [("ftjob-000000000000000000000005", "running"), ("ftjob-9", "removed")]
    assert summary["changes"]["JobsRemoved"] == deployment.metrics()["JobsRemoved", ""] == 1
    assert deployment.objects()["latest/default.tsv"] == before


# --- Refused and interrupted ---


class RefusingEventBridge(ThreadingHTTPServer):
    """A PutEvents that refuses every third entry of the first `refusals` calls."""

    def __init__(self, refusals: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.refusals = refusals
        self.accepted: list[dict[str, Any]] = []
        self.batches: list[int] = []


class Answer(BaseHTTPRequestHandler):
    """Its answer to one call."""

    server: RefusingEventBridge

    def do_POST(self) -> None:
        entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
        self.server.batches.append(len(entries))
        results: list[dict[str, str]] = []
        for number, entry in enumerate(entries):
            if self.server.refusals > 0 and number % 3 == 0:
                results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"})
            else:
                results.append({"EventId": str(number)})
                self.server.accepted.append(json.loads(entry["Detail"]))
        self.server.refusals -= 1
        failed = sum("ErrorCode" in result for result in results)
        body = json.dumps({"FailedEntryCount": failed, "Entries": results}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing(
    request: pytest.FixtureRequest, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefusingEventBridge]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    with RefusingEventBridge(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", f"http://127.0.0.1:{server.server_port}")
        events._events.cache_clear()  # the client for this endpoint
        yield server
        events._events.cache_clear()
        server.shutdown()


def some_changes(count: int, error: str = "") -> Changes:
    jobs = (parse(payload(number, error=error)) for number in range(count))
    return Changes([JobChange(job, job.status, None) for job in jobs])


ORIGIN = Origin("default", "key", "arn", "default")


@pytest.mark.parametrize("refusing", [2], indirect=True)
def test_refused_entries_are_sent_again(refusing: RefusingEventBridge) -> None:
    events.put(ORIGIN, some_changes(25), time.monotonic() + 60)
    assert sorted(detail["job_id"] for detail in refusing.accepted) == [f"ftjob-{number:024}" for number in range(25)]


@pytest.mark.parametrize("refusing", [99], indirect=True)
def test_what_stays_refused_fails_the_run(refusing: RefusingEventBridge) -> None:
    with pytest.raises(SnapshotError, match="EventBridge refuses 1 changes: ThrottlingException: Rate exceeded"):
        events.put(ORIGIN, some_changes(1), time.monotonic() + 60)
    assert refusing.accepted == []


@pytest.mark.parametrize("refusing", [0], indirect=True)
def test_batches_stay_within_the_limits(refusing: RefusingEventBridge) -> None:
    events.put(ORIGIN, some_changes(101, error="ü" * 1024), time.monotonic() + 60)
    assert max(refusing.batches) == 10
    assert sum(refusing.batches) == len(refusing.accepted) == 101


@pytest.mark.parametrize("refusing", [0], indirect=True)
def test_no_time_for_the_events_is_told_in_time(refusing: RefusingEventBridge) -> None:
    with pytest.raises(SnapshotError, match="No time is left to send all changes"):
        events.put(ORIGIN, some_changes(25), time.monotonic())
    assert refusing.batches == []


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize("refusing", [5], indirect=True)
def test_a_refusal_comes_before_metrics_and_latest(deployment: Deployment, refusing: RefusingEventBridge) -> None:
    start_with_a_snapshot(deployment)
    let_things_happen(deployment)
    latest, output = deployment.objects()["latest/default.tsv"], deployment.output
    with pytest.raises(SnapshotError, match=r"EventBridge refuses 1 changes: .* The next run sends them again"):
        deployment.run()
    assert deployment.objects()["latest/default.tsv"] == latest
    assert deployment.output == output
    assert deployment.run()["changes"]["JobsFailed"] == 1
    assert {detail["status"] for detail in refusing.accepted} == {"failed", "succeeded", "queued", "removed"}


AWS_CALLS = 5  # get latest, secret, dated snapshot, events, latest


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", range(1, AWS_CALLS + 1))
def test_a_run_that_dies_is_made_good_by_the_next(call: int, moment: str, deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    let_things_happen(deployment)
    output = deployment.output
    dead = crash.start({}, str(call), moment)
    assert dead.returncode == 9, dead.stderr
    deployment.run()
    told = Counter((event["detail"]["job_id"], event["detail"]["status"]) for event in bus.receive())
    assert sorted(status for _, status in told) == ["failed", "queued", "removed", "succeeded"]
    printed = [json.loads(line) for line in (dead.stdout + deployment.output.removeprefix(output)).splitlines()]
    for name in ("JobsCreated", "JobsSucceeded", "JobsFailed", "JobsRemoved"):
        assert 1 in [line[name][0] for line in printed if name in line], name
    assert {row["id"]: row["status"] for row in deployment.rows()} == {
        job["id"]: job["status"] for job in deployment.api.jobs
    }


def test_a_run_with_changes_makes_so_many_calls(deployment: Deployment, bus: Queue) -> None:
    start_with_a_snapshot(deployment)
    let_things_happen(deployment)
    done = crash.start({})
    assert done.stderr == f"{AWS_CALLS}\n"
    assert len(bus.receive()) == 4
