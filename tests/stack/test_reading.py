"""The documents' examples of reading the snapshots work as written."""

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from tests.documents import EVENTS, OPERATIONS, examples, run, section
from tests.sandbox import queues
from tests.stack.day import Day

SECTION = section("Reading the snapshots")
TOLD_WITHIN_SECONDS = 10


def shell(day: Day, *lines: str) -> str:
    script = "\n".join(lines).replace("fine-tuning-snapshots", day.stack.name)
    return run(day.stack.aws, "bash", "-o", "pipefail", "-c", script)


def of_default(day: Day) -> list[dict[str, Any]]:
    """The job objects in the newest snapshot of the source `default`."""
    return day.latest()["default"].jobs


def rows(day: Day) -> list[list[str]]:
    """Return the fields in that snapshot's file."""
    _, *lines = day.stack.objects()["latest/default.tsv"].decode().removesuffix("\n").split("\n")
    return [line.split("\t") for line in lines]


def test_readme_example_reads_latest_in_the_shell(day: Day) -> None:
    bucket, count, failed = examples(SECTION, "bash")
    assert shell(day, bucket, "echo $BUCKET") == day.stack.outputs["SnapshotBucket"] + "\n"
    counted = [line.split() for line in shell(day, bucket, count).splitlines()]
    assert {status: int(number) for number, status in counted} == Counter(job["status"] for job in of_default(day))
    printed = [re.split(" {2,}", line) for line in shell(day, bucket, failed).splitlines()]
    assert printed == [[row[0], row[4], row[8]] for row in rows(day) if row[2] == "failed"]
    assert [job_id for _, job_id, _ in printed] == [job["id"] for job in of_default(day) if job["status"] == "failed"]


def test_readme_example_reads_snapshots_with_pandas(day: Day) -> None:
    (example,) = examples(SECTION, "python")
    numbers, times = re.findall(r"`(pandas\.\w+\(.+?\))`", SECTION)
    look_closer = f"""
import json
print(int({numbers}.sum()), {times}.max().timestamp())
print(json.dumps([list(jobs.columns), *jobs.values.tolist()]))
"""
    printed = run(
        day.stack.aws, sys.executable, "-c", example + look_closer, BUCKET=day.stack.outputs["SnapshotBucket"]
    )
    *table, sums, everything = printed.splitlines()
    tokens, newest = sums.split()
    assert int(tokens) == sum(job["trained_tokens"] or 0 for job in of_default(day))
    assert float(newest) == max(job["created_at"] for job in of_default(day))
    assert len(table) == 1 + sum(job["status"] == "failed" for job in of_default(day))
    for row in rows(day):
        if row[2] == "failed":
            assert any(line.split(maxsplit=2) == [row[0], row[4], row[8]] for line in table)
    header, *fields = json.loads(everything)
    assert fields == rows(day)
    assert {"NA", '"messages" must not be empty, in lines 7, 8 \\ 9'} <= {row[header.index("error")] for row in fields}


def test_readme_example_reads_snapshots_with_duckdb(day: Day, tmp_path: Path) -> None:
    # On a copy of the bucket: DuckDB downloads its S3 extension from its own site, not from a package index.
    for key, body in day.stack.objects().items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
    first = tmp_path / min(one.key for one in day.runs)  # as an older version wrote it: DuckDB uses its columns
    first.write_bytes(b"".join(b"\t".join(line.split(b"\t")[:12]) + b"\n" for line in first.read_bytes().splitlines()))
    queries = examples(section("In DuckDB", OPERATIONS), "sql")
    of_statuses, of_days = (query.replace("s3://BUCKET", str(tmp_path)) for query in queries)
    by_status, running = duckdb.execute(of_statuses).fetchall(), duckdb.execute(of_days).fetchall()
    assert duckdb.execute(of_days.replace("status = 'running'", "finished_at != ''")).fetchall()
    assert dict(by_status) == Counter(job["status"] for newest in day.latest().values() for job in newest.jobs)
    seen = {
        (f"{one.time:%Y-%m-%d}", one.source, job["id"])
        for one in day.runs
        for job in one.jobs
        if job["status"] == "running"
    }
    expected = Counter((dt, source) for dt, source, _ in seen)
    assert [(str(dt), source, jobs) for dt, source, jobs in running] == sorted(
        (*group, n) for group, n in expected.items()
    )


def test_readme_rule_matches_a_new_snapshot(day: Day) -> None:
    (pattern,) = examples(section("An event for each new file", EVENTS), "json")
    pattern = pattern.replace("BUCKET", day.stack.outputs["SnapshotBucket"])
    latest, dated = (
        queues.of_bus(day.stack.aws, pattern=pattern.replace("latest/", prefix)) for prefix in ("latest/", "snapshots/")
    )
    key = day.run("team-b").key
    assert keys(latest) == ["latest/team-b.tsv"]
    assert keys(dated) == [key]


def keys(queue: queues.Queue) -> list[str]:
    """Return the keys of the objects in the events of a queue."""
    deadline = time.monotonic() + TOLD_WITHIN_SECONDS
    while not (events := queue.receive()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [event["detail"]["object"]["key"] for event in events]
