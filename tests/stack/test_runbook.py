"""The documented commands for operating a stack work as written."""

import re
from typing import Any

import pytest

from tests.documents import OPERATIONS, documents, examples, run, section
from tests.samples import payload
from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import Stack

BUCKET, *_ = examples(section("Reading the snapshots"), "bash")
_TEXT = OPERATIONS.read_text()
COPY, CLEAR_AWAY, VERSIONS, RESTORE, MOVE, DELETE, DELETE_ALL, _OWN_KEY = examples(_TEXT, "bash")
LATEST = "latest/default.tsv"


@pytest.fixture(scope="module")
def operated(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "runbook", {"ScheduleState": "DISABLED", "SecretPrefix": "runbook/"})
    for source in ("default", "new"):
        stack.put_secret(source, own_api.secret)
    return stack


def shell(stack: Stack, *commands: str) -> str:
    """Run commands for this stack instead of the documents' one; return what they print."""
    script = "\n".join(commands).replace("fine-tuning-snapshots", stack.name)
    script = script.replace("fine-tuning/", stack.parameters["SecretPrefix"])
    return run(stack.aws, "bash", "-euo", "pipefail", "-c", script)


def secrets(stack: Stack) -> set[str]:
    listed: list[dict[str, Any]] = stack.aws.client("secretsmanager").list_secrets()["SecretList"]
    return {entry["Name"] for entry in listed if entry["Name"].startswith(stack.parameters["SecretPrefix"])}


def test_next_run_compares_with_a_restored_table(operated: Stack, own_api: SimulatedApi) -> None:
    own_api.jobs = [payload(2, status="running"), payload(1)]
    operated.invoke()
    own_api.jobs = [payload(2, status="failed"), payload(1)]
    assert operated.invoke()["changes"]["JobsFailed"] == 1
    assert operated.invoke()["changes"]["JobsFailed"] == 0
    versions = [line.split() for line in shell(operated, BUCKET, VERSIONS).splitlines()]
    assert len(versions) == 3
    assert [time for time, _ in versions] == sorted((time for time, _ in versions), reverse=True)
    inbox = queues.of_topic(operated.aws, operated.outputs["Topic"])
    shell(operated, BUCKET, RESTORE.replace("VERSION", versions[-1][1]))
    assert operated.invoke()["changes"]["JobsFailed"] == 1
    assert any(": failed" in message["Message"] for message in inbox.receive())


def test_renamed_source_keeps_its_history(operated: Stack, own_api: SimulatedApi) -> None:
    own_api.jobs = [payload(2, status="running"), payload(1)]
    key = operated.invoke()["key"]
    shell(operated, BUCKET, COPY)
    own_api.jobs = [payload(2, status="failed"), payload(1)]
    assert operated.invoke(source="new")["changes"]["JobsFailed"] == 1
    shell(operated, BUCKET, CLEAR_AWAY)
    assert secrets(operated) == {"runbook/new"}
    assert LATEST not in operated.objects()
    assert key in operated.objects()
    (restore,) = re.findall(r"`(aws secretsmanager restore-secret .+?)`", _TEXT, re.DOTALL)
    shell(operated, restore)
    assert secrets(operated) == {"runbook/default", "runbook/new"}
    shell(operated, CLEAR_AWAY.splitlines()[0])


def test_source_moved_to_another_stack_keeps_its_history(operated: Stack, own_api: SimulatedApi) -> None:
    own_api.jobs = [payload(2, status="running"), payload(1)]
    operated.invoke(source="new")
    moved = Stack(operated.aws, "moved", {"ScheduleState": "DISABLED", "SecretPrefix": "runbook/", "Sources": "new"})
    shell(operated, BUCKET, MOVE.replace("NEW_BUCKET", moved.outputs["SnapshotBucket"]).replace("default", "new"))
    assert moved.objects() == operated.objects()
    s3 = operated.aws.client("s3")
    metadata = [
        s3.head_object(Bucket=stack.outputs["SnapshotBucket"], Key="latest/new.tsv")["Metadata"]
        for stack in (operated, moved)
    ]
    assert metadata[0] == metadata[1]
    assert metadata[0].keys() == {"snapshot-time", "job-count", "view"}
    own_api.jobs = [payload(2, status="failed"), payload(1)]
    assert moved.invoke(source="new")["changes"]["JobsFailed"] == 1


def test_copied_table_over_8_mb_keeps_its_metadata(operated: Stack) -> None:
    # Larger objects are copied in parts, and version 1 of the AWS CLI then loses the metadata:
    # https://docs.aws.amazon.com/cli/latest/userguide/cliv2-migration-changes.html
    s3, bucket = operated.aws.client("s3"), operated.outputs["SnapshotBucket"]
    metadata = {"snapshot-time": "2026-01-01T00:00:00Z", "job-count": "0", "view": "0123456789ab"}
    s3.put_object(Bucket=bucket, Key=LATEST, Body=bytes(9 << 20), Metadata=metadata)
    shell(operated, BUCKET, COPY.replace("latest/new.tsv", "latest/large.tsv"))
    assert s3.head_object(Bucket=bucket, Key="latest/large.tsv")["Metadata"] == metadata
    text = "".join(document.read_text() for document in documents())
    assert re.findall(r"aws s3 (?:cp|mv) \S*s3:\S+ \S*s3:", text) == []
    for key in (LATEST, "latest/large.tsv"):
        s3.delete_object(Bucket=bucket, Key=key)


def test_alarm_actions_can_be_disabled(operated: Stack) -> None:
    (mute,) = re.findall(r'`(aws cloudwatch disable-alarm-actions --alarm-names "NAME")`', section("Alarms"))
    name = operated.alarms()["JobsFaileddefault"]["AlarmName"]
    shell(operated, mute.replace("NAME", name))
    assert not operated.alarms()["JobsFaileddefault"]["ActionsEnabled"]
    shell(operated, mute.replace("NAME", name).replace("disable", "enable"))
    assert operated.alarms()["JobsFaileddefault"]["ActionsEnabled"]


def test_resources_retained_by_a_deleted_stack_can_be_deleted(operated: Stack) -> None:
    bucket, s3 = operated.outputs["SnapshotBucket"], operated.aws.client("s3")
    before = operated.objects()
    shell(operated, BUCKET, DELETE)
    operated.aws.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=operated.name)
    assert operated.objects() == before
    assert secrets(operated) == {"runbook/new"}
    listed = s3.list_object_versions(Bucket=bucket)
    for entry in listed["Versions"] + listed["DeleteMarkers"]:  # as the console does when it empties a bucket
        s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
    shell(operated, f"BUCKET={bucket}", DELETE_ALL.replace("/default", "/new"))
    assert secrets(operated) == set()
    assert bucket not in operated.aws.buckets()
