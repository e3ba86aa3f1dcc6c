"""Changes become events and metrics, at least once, whatever happens to a run."""

from collections import Counter

import pytest
from aiohttp import web
from snapshot import app
from snapshot.changes import Changes
from snapshot.errors import SnapshotError

from tests.context import Context
from tests.integration.deployment import Deployment, change_jobs, take_first_snapshot
from tests.samples import at, payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault
from tests.sandbox.queues import Queue

NO_CHANGES = dict.fromkeys(Changes().counts(), 0)


def test_first_snapshot_reports_no_change(deployment: Deployment, bus: Queue) -> None:
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []
    assert {name: deployment.metrics()[name, ""] for name in NO_CHANGES} == NO_CHANGES


def test_every_change_is_an_event_and_is_counted(deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    change_jobs(deployment)
    summary = deployment.run()
    assert summary["changes"] == NO_CHANGES | {
        "JobCountChange": 2,
        "JobsCreated": 1,
        "JobsSucceeded": 1,
        "JobsFailed": 1,
        "JobsRemoved": 1,
    }
    assert {name: deployment.metrics()[name, ""] for name in NO_CHANGES} == summary["changes"]
    sent = bus.receive()
    assert {event["detail-type"] for event in sent} == {"Fine-Tuning Job State Change"}
    assert {tuple(event["resources"]) for event in sent} == {
        ("arn:aws:lambda:us-east-1:000000000000:function:function",)
    }
    failed = next(event["detail"] for event in sent if event["detail"]["status"] == "failed")
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
    assert Counter((event["detail"]["status"], event["detail"]["previous_status"]) for event in sent) == Counter(
        [("failed", "running"), ("succeeded", "running"), ("queued", None), ("removed", "running")]
    )
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []


def test_events_name_the_function_without_a_qualifier(
    deployment: Deployment, bus: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack's rules match this ARN, whichever version or alias was invoked."""
    take_first_snapshot(deployment)
    change_jobs(deployment)
    monkeypatch.setattr(Context, "_invoked_function_arn", Context._invoked_function_arn + ":live")
    deployment.run()
    assert {tuple(event["resources"]) for event in bus.receive()} == {
        ("arn:aws:lambda:us-east-1:000000000000:function:function",)
    }


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


@pytest.mark.usefixtures("bus")
def test_events_leave_time_to_write_latest(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    take_first_snapshot(deployment)
    change_jobs(deployment)
    before = deployment.objects()["latest/default.tsv"]
    monkeypatch.setattr(app, "_OUTPUT_SECONDS", 0)  # or the listing would not start with so little time left
    with pytest.raises(SnapshotError, match=r"No time is left to send all changes\. Written before that: the dated"):
        deployment.run(seconds=19)
    assert deployment.objects()["latest/default.tsv"] == before


def test_25_changes_at_once_are_25_events(deployment: Deployment, bus: Queue) -> None:
    deployment.run()
    now = int(deployment.api.now)
    deployment.api.jobs = [payload(number, created_at=now) for number in range(25)] + deployment.api.jobs
    assert deployment.run()["changes"]["JobsCreated"] == 25
    assert len({event["detail"]["job_id"] for event in bus.receive()}) == 25


# --- Texts of any kind ---

LONG = 70_000  # four such texts are too large for an event, with any character
AS_SENT = {"x": "x", "\U0001f600": "\U0001f600", '"': "'", "\\": "/"}


@pytest.mark.parametrize("character", AS_SENT)
def test_long_text_is_cut_in_events(character: str, deployment: Deployment, bus: Queue) -> None:
    texts = dict.fromkeys(("status", "model", "fine_tuned_model"), character * LONG)
    deployment.api.largest_page = 1  # two such jobs are too large for a response
    deployment.api.jobs = [payload(1)]
    deployment.run()
    deployment.api.jobs = [payload(2, **texts), payload(1, **texts)]
    deployment.run()
    deployment.api.jobs = [payload(2)]
    deployment.run()
    assert deployment.run()["changes"] == NO_CHANGES
    cut = AS_SENT[character] * 1024
    details = [event["detail"] for event in bus.receive()]
    assert len(details) == 4
    assert {detail["previous_status"] for detail in details} == {None, "succeeded", cut}
    assert {detail["status"] for detail in details} == {cut, "succeeded", "removed"}
    assert {(detail["model"], detail["fine_tuned_model"]) for detail in details} >= {(cut, cut)}


def replace_in_latest(deployment: Deployment, old: str, new: str) -> None:
    """Edit the table in the bucket."""
    key = "latest/default.tsv"
    response = deployment.s3.get_object(Bucket=deployment.bucket, Key=key)
    body = response["Body"].read().replace(old.encode(), new.encode())
    deployment.s3.put_object(Bucket=deployment.bucket, Key=key, Body=body, Metadata=response["Metadata"])


def test_text_of_an_edited_table_is_cut_in_events(deployment: Deployment, bus: Queue) -> None:
    deployment.api.jobs = [payload(2, fine_tuned_model="ft:2"), payload(1)]
    deployment.api.announced = {"gpt-4o-mini-2024-07-18": "2027-01-14"}
    deployment.run()
    replace_in_latest(deployment, "2027-01-14", '"' * LONG)
    replace_in_latest(deployment, "\tsucceeded", '\\"' * LONG + "\tsucceeded")
    deployment.api.jobs = [payload(2, fine_tuned_model="ft:2")]
    deployment.run()
    assert deployment.run()["changes"] == NO_CHANGES
    details = {event["detail-type"]: event["detail"] for event in bus.receive()}
    assert details["Fine-Tuned Model Shutdown Announced"]["previous_shutdown_date"] == "'" * 1024
    assert details["Fine-Tuning Job State Change"]["updated_at"].endswith("/'/'")
    assert all(len(text) <= 1024 for detail in details.values() for text in detail.values() if isinstance(text, str))


# --- Another key or account ---


def rekey(deployment: Deployment, key: str) -> None:
    deployment.api.key = key
    deployment.put_simulated_secret()


def test_a_rotated_key_keeps_its_history(deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    rekey(deployment, "sk-rotated-0123456789abcdef")
    change_jobs(deployment)
    assert deployment.run()["changes"]["JobsFailed"] == 1
    assert len(bus.receive()) == 4


def test_key_of_another_account_reports_no_changes(deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    rekey(deployment, "sk-another-0123456789abcdef")
    deployment.api.jobs = [payload(number) for number in range(300, 200, -1)]
    assert deployment.run()["changes"] == NO_CHANGES
    assert bus.receive() == []
    assert any("another account" in line["message"] for line in deployment.logged())
    assert len(deployment.rows()) == 100


def test_replacing_all_jobs_of_an_account_is_reported(deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    deployment.api.jobs = [payload(number) for number in range(300, 200, -1)]
    assert deployment.run()["changes"]["JobCountChange"] == 105
    assert len(bus.receive()) == 105


def test_removed_job_stays_in_older_snapshots(deployment: Deployment, bus: Queue) -> None:
    """Old jobs were removed, as by a retention period: only the full listing notices it."""
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
    sent = bus.receive()
    assert {event["detail"]["status"] for event in sent} == {"removed"}
    assert len({event["detail"]["job_id"] for event in sent}) == 250
    assert deployment.objects()[first] == before


# --- A concurrent run ---


def test_change_reported_by_an_overlapping_older_run_is_reverted(deployment: Deployment, bus: Queue) -> None:
    """The older run has reported a pause and a new job; this run finds neither in the end."""
    take_first_snapshot(deployment)
    before = deployment.objects()["latest/default.tsv"]
    paused = before.replace(b"running", b"paused", 1).replace(b"ftjob-000000000000000000000005", b"ftjob-9")
    older = at(seconds=1)
    latest = {"Bucket": deployment.bucket, "Key": "latest/default.tsv"}
    metadata = deployment.s3.head_object(**latest)["Metadata"] | {"snapshot-time": older}

    async def overtaken(request: web.Request) -> web.StreamResponse:
        deployment.s3.put_object(**latest, Body=paused, Metadata=metadata)
        return await api_faults.status(500)(request)

    deployment.api.faults = [Fault("/fine_tuning/jobs", overtaken)]
    summary = deployment.run()
    sent = [(event["detail"]["job_id"], event["detail"]["status"]) for event in bus.receive()]
    assert sorted(sent) == [("ftjob-000000000000000000000005", "running"), ("ftjob-9", "removed")]
    assert summary["changes"]["JobsRemoved"] == deployment.metrics()["JobsRemoved", ""] == 1
    assert deployment.objects()["latest/default.tsv"] == before
