"""The saved queries, run in the deployed workgroup over snapshots of the function, return what they promise.

The embedded Athena reads the files, columns, delimiter and header of the Glue tables. It knows no partition projection
and reads every empty field as NULL; the tables' definitions are checked for these two.
"""

import json
import re
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest
import sqlglot
from snapshot import statuses
from snapshot.job import Job
from sqlglot.optimizer.qualify import qualify

from tests.documents import TEMPLATE
from tests.sandbox.simulated_jobs import BASE_MODELS
from tests.stack.day import HOUR, HOURS_AGO, OTHER_WORDS, Day

Row = dict[str, str | None]


def query(day: Day, sql: str, *parameters: str) -> list[Row]:
    """Run SQL in the stack's workgroup and database; return the rows."""
    athena = day.stack.aws.client("athena")
    execution = athena.start_query_execution(
        QueryString=sql,
        WorkGroup=day.stack.outputs["Workgroup"],
        QueryExecutionContext={"Database": day.stack.outputs["Database"]},
        **({"ExecutionParameters": list(parameters)} if parameters else {}),
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        if status["State"] not in {"QUEUED", "RUNNING"}:
            break
        time.sleep(0.02)
    assert status["State"] == "SUCCEEDED", status
    header, *rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    names = [cell["VarCharValue"] for cell in header["Data"]]
    return [dict(zip(names, (cell.get("VarCharValue") for cell in row["Data"]), strict=True)) for row in rows]


@pytest.fixture(scope="module")
def deployed(day: Day) -> dict[str, dict[str, str]]:
    """The saved queries of the workgroup, by their id."""
    athena = day.stack.aws.client("athena")
    ids = athena.list_named_queries(WorkGroup=day.stack.outputs["Workgroup"])["NamedQueryIds"]
    queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
    assert {entry["Database"] for entry in queries} == {day.stack.outputs["Database"]} == {"one_day"}
    return {entry["NamedQueryId"]: entry for entry in queries}


@pytest.fixture(scope="module")
def saved(deployed: dict[str, dict[str, str]]) -> dict[str, str]:
    """The saved queries of the workgroup: name to SQL."""
    return {entry["Name"]: entry["QueryString"] for entry in deployed.values()}


def table(day: Day, name: str) -> dict[str, Any]:
    answer = day.stack.aws.client("glue").get_table(DatabaseName=day.stack.outputs["Database"], Name=name)
    found: dict[str, Any] = answer["Table"]
    return found


def jobs(day: Day) -> list[tuple[str, dict[str, Any]]]:
    """Return source and job object of every job in the newest snapshots."""
    return [(source, job) for source, run in day.latest().items() for job in run.jobs]


def iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def end(job: dict[str, Any]) -> int:
    """Return when a job has ended: not every server sends `finished_at`."""
    found: int = job.get("finished_at") or job["modified_at"]
    return found


def error(job: dict[str, Any]) -> str:
    return ": ".join(filter(None, (job["error"]["code"], job["error"]["message"])))


def method(job: dict[str, Any]) -> str | None:
    return job["method"]["type"] if job["method"] else None


def base(model: str) -> str:
    return model.split(":")[1] if model.startswith("ft:") else model


@pytest.mark.parametrize("name", ["snapshots", "latest"])
def test_a_table_has_the_columns_of_a_snapshot(name: str, day: Day) -> None:
    definition = table(day, name)
    columns = {column["Name"]: column["Type"] for column in definition["StorageDescriptor"]["Columns"]}
    assert list(columns) == list(Job._fields)
    assert columns == dict.fromkeys(Job._fields, "string") | {"trained_tokens": "bigint"}
    assert definition["StorageDescriptor"]["SerdeInfo"]["Parameters"] == {"field.delim": "\t"}
    assert definition["Parameters"]["serialization.null.format"] == ""


def test_both_tables_read_files_in_the_same_way(day: Day) -> None:
    snapshots, latest = (table(day, name)["StorageDescriptor"] for name in ("snapshots", "latest"))
    assert snapshots.pop("Location") != latest.pop("Location")
    assert snapshots == latest


def test_the_saved_queries_are_those_of_the_template(deployed: dict[str, dict[str, str]], day: Day) -> None:
    ids = day.stack.physical_ids("AWS::Athena::NamedQuery")
    assert set(ids.values()) == deployed.keys()
    assert {
        logical_id: {"Name": entry["Name"], "Description": entry["Description"], "Sql": entry["QueryString"]}
        for logical_id, entry in ((logical_id, deployed[query_id]) for logical_id, query_id in ids.items())
    } == {f"{key}Query": query for key, query in TEMPLATE["Mappings"]["SavedQueries"].items()}


def test_projected_partitions_are_the_keys_that_the_function_writes(day: Day) -> None:
    definition = table(day, "snapshots")
    parameters = definition["Parameters"]
    assert [key["Name"] for key in definition["PartitionKeys"]] == ["source", "dt"]
    assert (parameters["projection.enabled"], parameters["projection.source.type"]) == ("true", "enum")
    assert parameters["projection.source.values"].split(",") == list(HOURS_AGO)
    assert (parameters["projection.dt.format"], parameters["projection.dt.range"]) == ("yyyy-MM-dd", "2026-01-01,NOW")
    for run in day.runs:
        folder = parameters["storage.location.template"].replace("${source}", run.source)
        folder = folder.replace("${dt}", f"{run.time:%Y-%m-%d}")
        assert f"s3://{day.stack.outputs['SnapshotBucket']}/{run.key}".rpartition("/")[0] + "/" == folder


def test_queries_are_valid_athena_sql_over_existing_columns(saved: dict[str, str], day: Day) -> None:
    schema: dict[str, object] = {}
    for name in ("snapshots", "latest"):
        definition = table(day, name)
        columns = definition["StorageDescriptor"]["Columns"] + definition.get("PartitionKeys", [])
        schema[name] = {column["Name"]: column["Type"] for column in columns} | {'"$path"': "string"}
    for sql in saved.values():
        qualify(sqlglot.parse_one(sql, dialect="athena"), schema=schema, dialect="athena")


def test_query_for_a_status_lists_all_synonyms(saved: dict[str, str]) -> None:
    for name, sql in saved.items():
        query = sqlglot.parse_one(sql, dialect="athena")
        for found in query.find_all(sqlglot.exp.In):
            words = {literal.name for literal in found.expressions}
            meant = {statuses.meaning(word) for word in words}
            assert words == meant.union(*(statuses._SYNONYMS[status] for status in meant)), name
        for equal in query.find_all(sqlglot.exp.EQ):
            assert "status" not in {column.name for column in equal.find_all(sqlglot.exp.Column)}, name


def test_every_saved_query_has_a_test(saved: dict[str, str]) -> None:
    assert saved.keys() == set(re.findall(r'saved\["(.+?)"\]', Path(__file__).read_text()))


def test_fields_are_read_unchanged(day: Day) -> None:
    rows = {row["id"]: row for row in query(day, "SELECT * FROM latest")}
    assert rows.keys() == {job["id"] for _, job in jobs(day)}
    for _, job in jobs(day):
        row = rows[job["id"]]
        assert row["error"] == (error(job) if job["error"] else None)
        assert json.loads(row["metadata"] or "null") == job["metadata"]
        assert int(row["trained_tokens"] or 0) == (job["trained_tokens"] or 0)
        assert row["status"] == job["status"]
        assert row["finished_at"] == (iso(job["finished_at"]) if job.get("finished_at") else None)
        assert json.loads(row["hyperparameters"] or "") == job["hyperparameters"]
        assert (row["seed"], row["suffix"]) == (str(job["seed"]), job["user_provided_suffix"])
        assert row["validation_file"] == (",".join(job.get("validation_files", ())) or None)
        assert row["result_files"] == (",".join(job["result_files"]) or None)
    assert {word for word, *_ in OTHER_WORDS} <= {row["status"] for row in rows.values()}


def test_new_columns_are_null_in_files_of_an_older_version(day: Day) -> None:
    bucket, s3 = day.stack.outputs["SnapshotBucket"], day.stack.aws.client("s3")
    key = f"snapshots/source=team-b/dt={datetime.now(UTC) - timedelta(3):%Y-%m-%d}/20260101T000000Z.tsv"
    header, *lines = [line.split(b"\t")[:12] for line in day.stack.objects()["latest/team-b.tsv"].splitlines()]
    s3.put_object(Bucket=bucket, Key=key, Body=b"".join(b"\t".join(line) + b"\n" for line in [header, *lines]))
    rows = query(day, "SELECT * FROM snapshots WHERE \"$path\" LIKE '%/20260101T000000Z.tsv'")
    s3.delete_object(Bucket=bucket, Key=key)
    assert [[row[column] or "" for column in list(Job._fields)[:12]] for row in rows] == [
        [field.decode() for field in line] for line in lines
    ]
    assert {row[column] for row in rows for column in list(Job._fields)[12:]} == {None}


def test_jobs_by_status(saved: dict[str, str], day: Day) -> None:
    last = {(f"{run.time:%Y-%m-%d}", run.source): run for run in day.runs}
    expected = {
        (dt, source, status, count)
        for (dt, source), run in last.items()
        for status, count in Counter(job["status"] for job in run.jobs).items()
    }
    rows = query(day, saved["Jobs by status"])
    assert {(row["dt"], row["source"], row["status"], int(row["jobs"] or 0)) for row in rows} == expected
    assert len(rows) == len(expected)


def test_failed_jobs(saved: dict[str, str], day: Day) -> None:
    since = time.time() - 7 * 24 * HOUR
    expected = {
        (iso(end(job)), source, job["id"], job["model"], error(job), job["training_file"])
        for source, job in jobs(day)
        if statuses.meaning(job["status"]) == "failed" and end(job) > since
    }
    rows = query(day, saved["Failed jobs"])
    assert {tuple(row.values()) for row in rows} == expected
    assert {source for _, source, *_ in expected} == set(HOURS_AGO)
    ends = [row["ended_at"] or "" for row in rows]
    assert ends == sorted(ends, reverse=True)


def test_job_duration(saved: dict[str, str], day: Day) -> None:
    minutes: dict[tuple[str | None, str | None], list[float]] = defaultdict(list)
    for source, job in jobs(day):
        if statuses.meaning(job["status"]) == "succeeded":
            minutes[source, base(job["model"])].append((end(job) - job["created_at"]) / 60)
    rows = {(row["source"], row["base_model"]): row for row in query(day, saved["Job duration"])}
    assert rows.keys() == minutes.keys()
    for group, row in rows.items():
        percent = quantiles(minutes[group], n=100, method="inclusive")
        assert row["jobs"] == str(len(minutes[group]))
        # Both percentiles are approximate, and there are only some dozens of jobs.
        assert percent[44] - 0.1 <= float(row["median_minutes"] or 0) <= percent[54] + 0.1
        assert percent[89] - 0.1 <= float(row["p95_minutes"] or 0) <= max(minutes[group]) + 0.1


def test_trained_tokens(saved: dict[str, str], day: Day) -> None:
    expected: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for source, job in jobs(day):
        if job["trained_tokens"] is not None:
            month = f"{datetime.fromtimestamp(end(job), UTC):%Y-%m}-01"
            expected[month, source, base(job["model"])].append(job["trained_tokens"])
    rows = query(day, saved["Trained tokens"])
    assert {(row["month"], row["source"], row["base_model"], row["jobs"], row["trained_tokens"]) for row in rows} == {
        (*group, str(len(tokens)), str(sum(tokens))) for group, tokens in expected.items()
    }
    assert len({month for month, _, _ in expected}) > 1


def test_how_each_model_was_made(saved: dict[str, str], day: Day) -> None:
    made = [(source, job) for source, job in jobs(day) if job["fine_tuned_model"]]
    rows = {row["id"]: row for row in query(day, saved["How each model was made"])}
    assert [(json.loads(row.pop("hyperparameters") or ""), row) for row in rows.values()] == [
        (
            job["hyperparameters"],
            {
                "fine_tuned_model": job["fine_tuned_model"],
                "model": job["model"],
                "method": method(job),
                "training_file": job["training_file"],
                "validation_file": ",".join(job.get("validation_files", ())) or None,
                "seed": str(job["seed"]),
                "suffix": job["user_provided_suffix"],
                "trained_tokens": str(job["trained_tokens"]),
                "created_at": iso(job["created_at"]),
                "finished_at": iso(end(job)),
                "source": source,
                "id": job["id"],
            },
        )
        for source, job in sorted(made, key=lambda entry: entry[1]["created_at"], reverse=True)
    ]
    assert {source for source, _ in made} == set(HOURS_AGO)


def test_model_shutdowns(saved: dict[str, str], day: Day) -> None:
    today = datetime.now(UTC).date()
    expected = {
        (source, job["fine_tuned_model"], job["id"], str(BASE_MODELS[base(job["model"])]))
        for source, job in jobs(day)
        if job["fine_tuned_model"] and BASE_MODELS.get(base(job["model"]))
    }
    rows = query(day, saved["Model shutdowns"])
    assert {(row["source"], row["fine_tuned_model"], row["id"], row["days_left"]) for row in rows} == expected
    days = [int(row["days_left"] or "") for row in rows]
    assert [row["shutdown_date"] for row in rows] == [str(today + timedelta(left)) for left in days]
    assert days == sorted(days)


def test_job_history(saved: dict[str, str], day: Day) -> None:
    seen = [
        (f"{run.time:%Y-%m-%d %H:%M:%S}", job["status"])
        for run in day.runs
        for job in run.jobs
        if job["id"] == day.failing.id
    ]
    expected = [entry for before, entry in zip([("", ""), *seen], seen, strict=False) if before[1] != entry[1]]
    rows = query(day, saved["Job history"], f"'{day.failing.id}'")
    assert [(row["snapshot_time"], row["status"]) for row in rows] == expected
    assert [status for _, status in expected] == ["running", "failed"]
    assert len(seen) > len(expected)


def test_query_results_are_stored_under_their_own_prefix(day: Day) -> None:
    query(day, "SELECT 1 AS one")
    keys = [key for key in day.stack.objects() if not key.startswith(("snapshots/", "latest/"))]
    assert keys
    assert all(key.startswith("athena/") for key in keys)
    workgroup = day.stack.aws.client("athena").get_work_group(WorkGroup=day.stack.outputs["Workgroup"])["WorkGroup"]
    configuration = workgroup["Configuration"]
    assert configuration["EnforceWorkGroupConfiguration"]
    assert configuration["BytesScannedCutoffPerQuery"] == 10**10
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
