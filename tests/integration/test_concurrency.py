"""Concurrent runs of one source: every object is whole, `latest` never becomes older, and no change is lost."""

import base64
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

from snapshot import changes, table
from snapshot.table import Line

from tests.integration.deployment import Deployment
from tests.samples import at, lines_of, payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT
from tests.sandbox.queues import Queue

RUNS = 20
LATEST = "latest/default.tsv"
STATUSES = ("queued", "running", "paused", "succeeded", "failed")


def start_runs(times: list[str], apart: float) -> subprocess.Popen[str]:
    """Start processes that run the handler: one for each of the `times`, `apart` seconds after the one before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.crowd"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "functions", "POWERTOOLS_LOG_LEVEL": "CRITICAL"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    for number, when in enumerate(times):
        process.stdin.write(json.dumps({"event": {"time": when}, "after": number * apart}) + "\n")
    process.stdin.close()
    return process


def outcomes(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    assert process.stdout is not None
    with process.stdout:
        found = [json.loads(line) for line in process.stdout]
    assert process.wait() == 0
    return found


def change_something(api: SimulatedApi, chance: random.Random, number: int) -> None:
    """Create or remove a job, or change its status, perhaps to an earlier one."""
    jobs = list(api.jobs)
    place = chance.randrange(len(jobs))
    kind = chance.choice(("create", "remove", "change", "change", "change"))
    if kind == "create":
        jobs.insert(0, payload(number, created_at=int(api.now), status="queued", finished_at=None))
    elif kind == "remove" and len(jobs) > 10:
        del jobs[place]
    else:
        jobs[place] = jobs[place] | {"status": chance.choice(STATUSES)}
    api.jobs = jobs


def read(deployment: Deployment, key: str, **version: str) -> tuple[list[Line], dict[str, str]]:
    """Return the lines and metadata of a snapshot, after checks that it is whole."""
    response = deployment.s3.get_object(Bucket=deployment.bucket, Key=key, ChecksumMode="ENABLED", **version)
    body, metadata = response["Body"].read(), response["Metadata"]
    assert response["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert body.startswith(table.HEADER + b"\n")
    lines = lines_of(body)
    assert int(metadata["job-count"]) == len(lines) == len({*map(table.job_id, lines)})
    return lines, metadata


def versions_of_latest(deployment: Deployment) -> list[tuple[list[Line], str]]:
    """Return the lines and the snapshot's time of every version of `latest`, oldest first."""
    listed = deployment.s3.list_object_versions(Bucket=deployment.bucket, Prefix=LATEST)
    assert "DeleteMarkers" not in listed
    versions = [read(deployment, LATEST, VersionId=entry["VersionId"]) for entry in reversed(listed["Versions"])]
    return [(lines, metadata["snapshot-time"]) for lines, metadata in versions]


def reported(bus: Queue) -> set[tuple[str, str, str]]:
    """Return the job, status and snapshot of every event, without duplicates."""
    details = (event["detail"] for event in bus.receive())
    return {(detail["job_id"], detail["status"], detail["snapshot_key"]) for detail in details}


def test_concurrent_runs_lose_no_change(deployment: Deployment, bus: Queue) -> None:
    deployment.s3.put_bucket_versioning(Bucket=deployment.bucket, VersioningConfiguration={"Status": "Enabled"})
    api, chance = deployment.api, random.Random(20)
    api.jobs = [payload(number, status="running") for number in range(40, 0, -1)]
    api.latency = 0.02
    first = deployment.run(time=at(hours=1, seconds=1))
    times = [at(hours=1, seconds=-second) for second in range(RUNS)]
    chance.shuffle(times)
    process = start_runs(times, apart=0.02)
    number = 100
    while process.poll() is None:
        number += 1
        change_something(api, chance, number)
        time.sleep(0.01)
    ended = outcomes(process)

    assert len(ended) == RUNS
    assert [outcome["error"] for outcome in ended if "error" in outcome] == []
    written = [outcome["summary"] for outcome in ended if "key" in outcome["summary"]]
    for summary in [first, *written]:
        lines, metadata = read(deployment, summary["key"])
        assert (len(lines), metadata["snapshot-time"]) == (summary["job_count"], summary["snapshot_time"])

    history = versions_of_latest(deployment)
    stamps = [stamp for _, stamp in history]
    assert stamps == sorted(stamps)
    assert stamps[-1] == max(summary["snapshot_time"] for summary in written)
    newest = max(written, key=lambda summary: summary["snapshot_time"])
    assert history[-1][0] == read(deployment, newest["key"])[0]

    keys = {summary["snapshot_time"]: summary["key"] for summary in written}
    needed = {
        (change.job.id, change.status, keys[stamp])
        for (before, _), (after, stamp) in pairwise(history)
        for change in changes.diff(before, after).jobs
    }
    assert needed - reported(bus) == set()


def test_invocation_that_is_delivered_twice_writes_one_snapshot(deployment: Deployment, bus: Queue) -> None:
    api = deployment.api
    api.jobs = [payload(number, status="running") for number in range(40, 0, -1)]
    deployment.run(time=at(hours=1, seconds=1))
    api.jobs = [job | {"status": "failed"} for job in api.jobs]
    api.latency = 0.1
    when = at(hours=1)
    one, other = outcomes(start_runs([when, when], apart=0))
    assert one["summary"]["key"] == other["summary"]["key"]
    lines, metadata = read(deployment, one["summary"]["key"])
    assert metadata["snapshot-time"] == when
    assert read(deployment, LATEST)[0] == lines
    assert reported(bus) == {(job["id"], "failed", one["summary"]["key"]) for job in api.jobs}
