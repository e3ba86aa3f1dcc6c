"""Changes are delivered at least once, whatever EventBridge refuses and wherever a run dies."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from snapshot.aws import events, events_client
from snapshot.aws.events import EventContext
from snapshot.changes import Changes, JobChange, ShutdownChange
from snapshot.deadline import Deadline
from snapshot.errors import SnapshotError
from snapshot.job import Job, parse

from tests.integration import crash
from tests.integration.deployment import Deployment, change_jobs, take_first_snapshot
from tests.samples import payload
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.queues import Queue
from tests.timing import ends_within


class RefusingEventBridge(ThreadingHTTPServer):
    """A PutEvents that refuses every third entry of the first `refusals` calls."""

    def __init__(self, refusals: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.refusals = refusals
        self.refused_job = ""  # events of these jobs are always refused
        self.accepted: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.times: list[float] = []


class Handler(BaseHTTPRequestHandler):
    """Its response to a call."""

    server: RefusingEventBridge

    def do_POST(self) -> None:
        entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
        self.server.batches.append(len(entries))
        self.server.times.append(time.monotonic())
        results: list[dict[str, str]] = []
        for number, entry in enumerate(entries):
            if self.server.refusals > 0 and number % 3 == 0:
                results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"})
            elif self.server.refused_job and self.server.refused_job in entry["Detail"]:
                results.append({"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."})
            else:
                results.append({"EventId": str(number)})
                self.server.accepted.append(json.loads(entry["Detail"]))
        self.server.refusals -= 1
        failed = sum("ErrorCode" in result for result in results)
        count = {"FailedEntryCount": failed} if failed else {}  # a count of zero may be left out
        body = json.dumps({"Entries": results} | count).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def refusing(
    request: pytest.FixtureRequest, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefusingEventBridge]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    with RefusingEventBridge(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", f"http://127.0.0.1:{server.server_port}")
        events_client.cache_clear()  # the client with this endpoint
        yield server
        events_client.cache_clear()
        server.shutdown()


def some_changes(count: int, error: str = "") -> Changes:
    jobs = (parse(payload(number, error=error)).job for number in range(count))
    return Changes([JobChange(job, job.status, None) for job in jobs])


ORIGIN = EventContext("default", "key", "arn", "default")


@pytest.mark.parametrize("refusing", [2], indirect=True)
def test_refused_entries_are_sent_again(refusing: RefusingEventBridge) -> None:
    events.send(ORIGIN, some_changes(25), Deadline.after(60))
    assert sorted(detail["job_id"] for detail in refusing.accepted) == [f"ftjob-{number:024}" for number in range(25)]


@pytest.mark.parametrize("refusing", [99], indirect=True)
def test_permanently_refused_event_fails_the_run(refusing: RefusingEventBridge) -> None:
    with pytest.raises(SnapshotError, match="EventBridge refuses 1 of the changes: ThrottlingException: Rate exceeded"):
        events.send(ORIGIN, some_changes(1), Deadline.after(60))
    assert refusing.accepted == []
    assert refusing.batches == [1] * 5
    waits = [later - earlier for earlier, later in pairwise(refusing.times)]
    assert all(wait >= least for wait, least in zip(waits, (0.2, 0.4, 0.8, 1.6), strict=True))
    assert waits[-1] < 3


@pytest.mark.parametrize("refusing", [0], indirect=True)
@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ", …")])
def test_error_names_five_refused_changes(count: int, more: str, refusing: RefusingEventBridge) -> None:
    refusing.refused_job = "ftjob-"
    with pytest.raises(SnapshotError) as caught:
        events.send(ORIGIN, some_changes(count), Deadline.after(60))
    names = ", ".join(f"ftjob-{number:024}" for number in range(5))
    assert str(caught.value).endswith(
        f"refuses {count} of the changes: MalformedDetail: Detail is malformed. ({names}{more})"
    )


@pytest.mark.parametrize("refusing", [99], indirect=True)
def test_refused_shutdown_is_named_by_its_model(refusing: RefusingEventBridge) -> None:
    changes = Changes(shutdowns=[ShutdownChange("gpt-a", "2030-01-01", "", ["ft:1"])])
    with pytest.raises(SnapshotError, match=r"EventBridge refuses 1 of the changes: .* \(gpt-a\)"):
        events.send(ORIGIN, changes, Deadline.after(60))
    assert refusing.accepted == []


@pytest.mark.parametrize("refusing", [0], indirect=True)
def test_refused_event_does_not_block_others(refusing: RefusingEventBridge) -> None:
    refusing.refused_job = f"ftjob-{3:024}"
    reason = rf"EventBridge refuses 1 of the changes: MalformedDetail: Detail is malformed\. \({refusing.refused_job}\)"
    with pytest.raises(SnapshotError, match=reason):
        events.send(ORIGIN, some_changes(25), Deadline.after(60))
    assert len({detail["job_id"] for detail in refusing.accepted}) == len(refusing.accepted) == 24


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("refusing", [999], indirect=True)
def test_permanent_refusals_end_after_five_attempts() -> None:
    with ends_within(10), pytest.raises(SnapshotError, match=r"EventBridge refuses \d+ of the changes: .*ftjob-"):
        events.send(ORIGIN, some_changes(200), Deadline.after(60))


@pytest.mark.parametrize("refusing", [0], indirect=True)
def test_batches_stay_within_the_limits(refusing: RefusingEventBridge) -> None:
    events.send(ORIGIN, some_changes(101, error="ü" * 1024), Deadline.after(60))
    assert max(refusing.batches) == 10
    assert sum(refusing.batches) == len(refusing.accepted) == 101


@pytest.mark.parametrize("character", ["x", "\U0001f600", '"', "\\", "\x01", "\u2028"])
def test_largest_events_are_accepted(character: str, bus: Queue) -> None:
    """The embedded EventBridge has AWS's limits, and the texts have any characters."""
    text = character * 5000
    jobs = [JobChange(Job(*[text] * len(Job._fields)), text, text)] * 25
    shutdowns = [ShutdownChange(text, text, text, [text] * 30)] * 5
    context = EventContext("s" * 64, "k" * 1024, "f" * 2048, os.environ["EVENT_BUS_NAME"])
    events.send(context, Changes(jobs, shutdowns), Deadline.after(60))
    details = [event["detail"] for event in bus.receive()]
    assert len(details) == 30
    cut = text[:1024].replace('"', "'").replace("\\", "/")
    assert {detail["model"] for detail in details} == {cut}
    assert {name for detail in details for name in detail.get("fine_tuned_models", ())} == {cut}


@pytest.mark.parametrize("refusing", [0], indirect=True)
def test_events_without_time_left_fail_before_the_time_limit(refusing: RefusingEventBridge) -> None:
    with pytest.raises(SnapshotError, match="No time is left to send all changes"):
        events.send(ORIGIN, some_changes(25), Deadline.after(0))
    assert refusing.batches == []


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize("refusing", [5], indirect=True)
def test_refused_event_leaves_metrics_and_latest_unwritten(
    deployment: Deployment, refusing: RefusingEventBridge
) -> None:
    take_first_snapshot(deployment)
    change_jobs(deployment)
    latest, output = deployment.objects()["latest/default.tsv"], deployment.output
    with pytest.raises(
        SnapshotError,
        match=r"EventBridge refuses 1 of the changes: .* Written before that: the dated snapshot\. The next run",
    ):
        deployment.run()
    assert deployment.objects()["latest/default.tsv"] == latest
    assert deployment.output == output
    assert deployment.run()["changes"]["JobsFailed"] == 1
    assert {detail["status"] for detail in refusing.accepted} == {"failed", "succeeded", "queued", "removed"}


AWS_CALLS = 6  # read latest and the secret, compare latest, write the dated snapshot, send events, write latest


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", range(1, AWS_CALLS + 1))
def test_next_run_repeats_what_a_killed_run_missed(call: int, moment: str, deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    change_jobs(deployment)
    output = deployment.output
    dead = crash.start({}, str(call), moment)
    assert dead.returncode == 9, dead.stderr
    deployment.run()
    sent = Counter((event["detail"]["job_id"], event["detail"]["status"]) for event in bus.receive())
    assert sorted(status for _, status in sent) == ["failed", "queued", "removed", "succeeded"]
    printed = [json.loads(line) for line in (dead.stdout + deployment.output.removeprefix(output)).splitlines()]
    for name in ("JobsCreated", "JobsSucceeded", "JobsFailed", "JobsRemoved"):
        assert 1 in [line[name][0] for line in printed if name in line], name
    assert {row["id"]: row["status"] for row in deployment.rows()} == {
        job["id"]: job["status"] for job in deployment.api.jobs
    }


def test_run_with_changes_makes_the_documented_calls(deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    change_jobs(deployment)
    done = crash.start({})
    assert done.stderr == f"{AWS_CALLS}\n"
    assert len(bus.receive()) == 4
