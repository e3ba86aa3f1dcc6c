"""The whole run: its objects, metrics and summary. A failed run writes nothing."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from snapshot import __version__
from snapshot.app import lambda_handler
from snapshot.aws import events_client, s3_client, secrets_client, snapshots
from snapshot.aws.snapshots import Snapshot
from snapshot.changes import Changes
from snapshot.errors import ApiError, EventError, SecretError, SnapshotError
from snapshot.settings import Run

from tests.context import Context
from tests.integration.deployment import Deployment, change_jobs, take_first_snapshot
from tests.samples import ORIGINAL_COLUMNS, ORIGINAL_JOBS, at
from tests.sandbox import api_faults
from tests.sandbox.api import Fault, SimulatedApi
from tests.sandbox.queues import Queue

JOBS = "/fine_tuning/jobs"


def test_the_original_step_s_table(deployment: Deployment) -> None:
    deployment.api.jobs = ORIGINAL_JOBS
    deployment.put_simulated_secret()
    deployment.run()
    rows = deployment.objects()["latest/default.tsv"].splitlines()[1:]
    assert b"".join(b"\t".join(row.split(b"\t")[:5]) + b"\n" for row in rows) == ORIGINAL_COLUMNS


@pytest.mark.parametrize("cap", [100, 20])
def test_metric_rows_summary_and_metadata_agree(cap: int, deployment: Deployment) -> None:
    deployment.api.largest_page = cap
    deployment.put_simulated_secret("team-a")
    time = at(minutes=5)
    summary = deployment.run(source="team-a", time=time)
    compact = time.replace("-", "").replace(":", "")
    key = f"snapshots/source=team-a/dt={time[:10]}/{compact}.tsv"
    assert summary.pop("jobs_by_status") | {} == {
        status: value for (name, status), value in deployment.metrics().items() if status
    }
    assert summary == {
        "source": "team-a",
        "snapshot_time": time,
        "job_count": 250,
        "changes": Changes().counts(),
        "bucket": deployment.bucket,
        "key": key,
        "full_listing": True,
        "api_requests": -(-250 // cap) + 2,
    }
    assert len(deployment.api.requests) == summary["api_requests"]
    assert deployment.metrics()["JobCount", ""] == 250
    objects = deployment.objects()
    assert objects.keys() == {key, "latest/team-a.tsv"}
    assert objects[key] == objects["latest/team-a.tsv"]
    assert len(deployment.rows("team-a")) == len({row["id"] for row in deployment.rows("team-a")}) == 250
    for name, content in objects.items():
        head = deployment.s3.head_object(Bucket=deployment.bucket, Key=name, ChecksumMode="ENABLED")
        assert head["ContentType"] == "text/tab-separated-values; charset=utf-8"
        assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert head["Metadata"].keys() == {"snapshot-time", "job-count", "view"}
        assert (head["Metadata"]["snapshot-time"], head["Metadata"]["job-count"]) == (time, "250")
    (line,) = (line for line in deployment.logged() if line["message"] == "Snapshot taken")
    assert (line["source"], line["snapshot_time"], line["job_count"]) == ("team-a", time, 250)
    assert line["version"] == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["timestamp"])  # RFC 3339


def test_long_listing_logs_its_progress(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.api.largest_page, deployment.api.latency = 25, 0.55
    deployment.run()
    logged = [line["pages_read"] for line in deployment.logged() if line["message"] == "Listing jobs"]
    assert logged
    assert all(0 < pages <= 10 for pages in logged)


def test_account_without_jobs_has_an_empty_table(deployment: Deployment) -> None:
    deployment.api.jobs = []
    deployment.put_simulated_secret()
    assert deployment.run()["job_count"] == 0
    assert deployment.rows() == []
    assert deployment.metrics()["JobCount", ""] == 0
    assert deployment.metrics()["OldestActiveJobAge", ""] == 0


def test_a_repeated_run_writes_the_same_key(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    time = at(minutes=1)
    assert deployment.run(time=time)["key"] == deployment.run(time=time)["key"]
    assert len(deployment.objects()) == 2


def test_a_late_run_writes_nothing(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    newer, older = at(minutes=1), at(minutes=2)
    deployment.run(time=newer)
    objects, output = deployment.objects(), deployment.output
    assert deployment.run(time=older) == {
        "skipped": True,
        "source": "default",
        "snapshot_time": older,
        "latest_snapshot_time": newer,
    }
    assert deployment.objects() == objects
    assert deployment.output == output  # no metric


def stamp_latest(deployment: Deployment, time: str) -> None:
    """Set the snapshot's time of `latest`, as an edit or a wrong clock would."""
    deployment.s3.copy_object(
        Bucket=deployment.bucket,
        Key="latest/default.tsv",
        CopySource=f"{deployment.bucket}/latest/default.tsv",
        Metadata={"snapshot-time": time},
        MetadataDirective="REPLACE",
    )


@pytest.mark.parametrize("minutes", [16, 400 * 24 * 60, None])
def test_latest_from_the_future_is_replaced(minutes: int | None, deployment: Deployment, bus: Queue) -> None:
    take_first_snapshot(deployment)
    stamp_latest(deployment, at(minutes=-minutes) if minutes else "9999-12-31T23:59:59-23:59")
    change_jobs(deployment)
    summary = deployment.run()
    assert summary["changes"]["JobsFailed"] == 1  # the run still compares with its table
    assert len(bus.receive()) == 4
    assert any("lies in the future" in line["message"] for line in deployment.logged() if line["level"] == "WARNING")
    head = deployment.s3.head_object(Bucket=deployment.bucket, Key="latest/default.tsv")
    assert head["Metadata"]["snapshot-time"] == summary["snapshot_time"]


def test_latest_a_few_minutes_ahead_is_accepted(deployment: Deployment) -> None:
    """An event's time may be this far ahead."""
    deployment.put_simulated_secret()
    deployment.run()
    stamp_latest(deployment, at(minutes=-14))
    objects = deployment.objects()
    assert deployment.run()["skipped"]
    assert deployment.objects() == objects


def test_skipped_run_is_logged_as_such(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run(time=at(minutes=1))
    stamp_latest(deployment, f"{datetime.now(timezone(timedelta(hours=5))):%Y-%m-%dT%H:%M:%S%z}")
    now, summary = datetime.now(UTC), deployment.run(time=at(minutes=2))
    latest = datetime.fromisoformat(summary["latest_snapshot_time"])
    assert abs(latest - now) < timedelta(minutes=1)  # in UTC, from any time zone
    logged = [line for line in deployment.logged() if line.get("skipped")]
    assert [line["message"] for line in logged] == ["Run skipped: a newer snapshot exists"]
    assert sum(line["message"] == "Snapshot taken" for line in deployment.logged()) == 1


@pytest.mark.parametrize("time", ["soon", "2999-01-01T00:00:00"])
def test_invalid_time_of_latest_is_ignored(time: str, deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run(time=at(minutes=5))
    stamp_latest(deployment, time)
    assert deployment.run(time=at(minutes=4))["job_count"] == 250
    assert not any("lies in the future" in line["message"] for line in deployment.logged())


@pytest.mark.parametrize("body", [b"", b"\xff", b"created_at\tname\n1\t2\n"])
def test_an_unreadable_latest_is_replaced(body: bytes, deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.s3.put_object(Bucket=deployment.bucket, Key="latest/default.tsv", Body=body)
    deployment.run()
    assert len(deployment.rows()) == 250
    (line,) = (line for line in deployment.logged() if "previous snapshot cannot be read" in line["message"])
    assert line["key"] == "latest/default.tsv"
    assert line["cause"]


def test_a_newer_run_s_latest_is_left_alone(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    newer = at(minutes=0)

    async def overtaken(request: Any) -> Any:
        deployment.s3.put_object(
            Bucket=deployment.bucket, Key="latest/default.tsv", Body=b"newer", Metadata={"snapshot-time": newer}
        )
        return await api_faults.status(500)(request)

    deployment.api.faults = [Fault(JOBS, overtaken)]
    assert deployment.run(time=at(minutes=1))["skipped"]
    assert deployment.objects() == {"latest/default.tsv": b"newer"}
    assert deployment.output == ""


def test_an_older_run_s_latest_is_replaced(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run(time=at(minutes=9))

    async def overtaken(request: Any) -> Any:
        deployment.s3.put_object(
            Bucket=deployment.bucket, Key="latest/default.tsv", Body=b"older", Metadata={"snapshot-time": at(minutes=5)}
        )
        return await api_faults.status(500)(request)

    deployment.api.faults = [Fault(JOBS, overtaken)]
    deployment.run(time=at(minutes=1))
    assert len(deployment.rows()) == 250


def test_first_latest_does_not_replace_another(deployment: Deployment) -> None:
    """Two concurrent first runs: neither has an ETag for its condition."""
    deployment.put_simulated_secret()
    deployment.run()
    objects = deployment.objects()
    late = Snapshot(Run("default", datetime.now(UTC) - timedelta(hours=1), full=False), [], "")
    assert not snapshots.write_latest(deployment.bucket, late, snapshots.NO_SNAPSHOT)
    assert deployment.objects() == objects


def test_latest_with_equal_bytes_and_another_time_has_changed(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run(time=at(minutes=5))
    previous = snapshots.read_latest(deployment.bucket, "default")
    assert snapshots.is_unchanged(deployment.bucket, "default", previous)
    stamp_latest(deployment, at(minutes=4))  # equal bytes have an equal ETag
    assert not snapshots.is_unchanged(deployment.bucket, "default", previous)


def test_log_lines_have_no_keys_of_an_earlier_run(deployment: Deployment) -> None:
    deployment.put_simulated_secret("team-a")
    deployment.run(source="team-a")
    with pytest.raises(EventError):
        deployment.run(source="../other")
    assert deployment.logged()[-2].get("source") == "team-a"
    assert "source" not in deployment.logged()[-1]


def test_logged_error_names_source_and_time(deployment: Deployment) -> None:
    time = at(minutes=1)
    with pytest.raises(SecretError):
        deployment.run(source="team-a", time=time)
    line = deployment.logged()[-1]
    assert (line["level"], line["source"], line["snapshot_time"]) == ("ERROR", "team-a", time)


def test_an_unexpected_error_is_logged_with_its_traceback(deployment: Deployment) -> None:
    context = Context(60)
    context._invoked_function_arn = None  # type: ignore[assignment]  # as no Lambda gives it
    with pytest.raises(AttributeError):
        lambda_handler({}, context)
    line = deployment.logged()[-1]
    assert line["message"] == "The run failed with an unexpected error"
    assert line["exception_name"] == "AttributeError"


# --- The secret, in a warm function ---


def test_a_rotated_key_is_used_at_once(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run()
    deployment.api.key = "sk-rotated-0123456789abcdef"
    deployment.put_simulated_secret()
    summary = deployment.run()
    assert summary["job_count"] == 250
    assert summary["api_requests"] == 5  # three pages, one job's events, the models


def test_a_bad_new_key_fails_the_next_run(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.run()
    deployment.put_secret(deployment.api.secret.replace("sk-", "sk-typo-"))
    with pytest.raises(ApiError, match="401: invalid_api_key"):
        deployment.run()


@pytest.mark.parametrize(
    "wrong", ['{"api_key": "sk-1234567890"', '{"api_key": "sk-1234567890", "base_url": "http://127.0.0.1:9/v1"}']
)
def test_corrected_secret_is_used_by_the_next_run(wrong: str, deployment: Deployment) -> None:
    deployment.put_secret(wrong)
    with pytest.raises(SnapshotError):
        deployment.run(seconds=61)
    deployment.put_simulated_secret()
    assert deployment.run()["job_count"] == 250


def test_the_default_base_url_is_the_environment_s(deployment: Deployment) -> None:
    deployment.put_secret(f"\n{deployment.api.key}\n")
    assert deployment.run()["job_count"] == 250


# --- Bad input: an error that says what to do, no object and no metric ---


def assert_fails(deployment: Deployment, error: type[SnapshotError], message: str, **event: Any) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        deployment.run(**event)
    assert deployment.objects() == {}
    assert deployment.output == ""
    (line,) = (line for line in deployment.logged() if line["level"] == "ERROR")
    assert re.search(message, line["message"], re.DOTALL)
    assert "response cannot be used" not in line["message"]  # the input is wrong, not the response
    assert line["message"].endswith("Nothing was written; the next run tries again.")
    assert "exception" not in line


def test_invalid_event_is_an_error(deployment: Deployment) -> None:
    assert_fails(deployment, EventError, "source '../other' is not valid: it must be", source="../other")


def test_missing_secret_is_an_error(deployment: Deployment) -> None:
    name = f"{deployment.prefix}team-b"
    message = f"secret {name} does not exist or has no value.*make secret SOURCE=team-b`"
    assert_fails(deployment, SecretError, message, source="team-b")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "does not exist or has no value.*make secret"),
        (b"sk-binary", "is binary"),
        ('{"key": "x"}', "field other than api_key"),
    ],
)
def test_invalid_secret_is_an_error(value: str | bytes | None, message: str, deployment: Deployment) -> None:
    deployment.put_secret(value)
    assert_fails(deployment, SecretError, f"[Tt]he secret {deployment.prefix}default .*{message}")


def test_refused_key_is_an_error(deployment: Deployment) -> None:
    wrong = "sk-wrong-key-0123456789"
    deployment.put_secret(wrong)
    with pytest.raises(
        ApiError, match=r"401: invalid_api_key: Incorrect API key provided: \[redacted\].*make secret"
    ) as caught:
        deployment.run()
    assert "sk-wrong" not in str(caught.value) + deployment.log.getvalue()
    assert len(deployment.api.requests) == 1
    assert deployment.objects() == {}


def test_error_message_can_be_logged(deployment: Deployment) -> None:
    deployment.put_simulated_secret()
    deployment.api.faults = [Fault(JOBS, api_faults.body(b'{"error":{"message":"bad \\ud800 name"}}', 400))]
    assert_fails(deployment, ApiError, r"status 400: bad \? name")


def test_missing_bucket_variable_is_an_error(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.put_simulated_secret()
    monkeypatch.setenv("SNAPSHOT_BUCKET", "no-such-bucket-here")
    with pytest.raises(SnapshotError, match=r"s3://no-such-bucket-here/latest/default\.tsv: .*NoSuchBucket"):
        deployment.run()
    assert deployment.output == ""


def test_api_gets_no_request_before_the_secret_is_read(deployment: Deployment, api: SimulatedApi) -> None:
    with pytest.raises(SecretError):
        deployment.run()
    assert api.requests == []


@pytest.mark.usefixtures("deployment")
def test_aws_call_is_limited_to_half_a_minute() -> None:
    for client in (s3_client, events_client, secrets_client):
        config: Any = client().meta.config  # the type stub lacks its settings
        assert (config.connect_timeout, config.read_timeout) == (5, 10)
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}
