"""The differences between two tables."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from snapshot import table
from snapshot.changes import ShutdownChange, diff
from snapshot.job import parse
from snapshot.table import Line

from tests.samples import payload


def lines(*jobs: dict[str, Any], shutdown_date: str = "") -> list[Line]:
    parsed = (parse(job).job for job in jobs)
    return [table.to_line(job._replace(shutdown_date=shutdown_date if job.fine_tuned_model else "")) for job in parsed]


def test_created_changed_and_removed_jobs_are_newest_first() -> None:
    previous = lines(payload(3, status="running"), payload(2, status="queued"), payload(1), payload(0))
    now = lines(
        payload(5, status="failed"), payload(4, status="queued"), payload(3), payload(2, status="queued"), payload(1)
    )
    changes = diff(previous, now)
    assert [(int(change.job.id[6:]), change.status, change.previous_status) for change in changes.jobs] == [
        (5, "failed", None),
        (4, "queued", None),
        (3, "succeeded", "running"),
        (0, "removed", "succeeded"),
    ]
    assert changes.counts() == {
        "JobCountChange": 3,
        "JobsCreated": 2,
        "JobsSucceeded": 1,
        "JobsFailed": 1,
        "JobsCancelled": 0,
        "JobsRemoved": 1,
    }


def test_each_change_metric_counts_its_own_changes() -> None:
    reached = ["cancelled"] + ["failed"] * 2 + ["succeeded"] * 4
    previous = lines(*(payload(number, status="running") for number in range(20, 0, -1)))
    now = lines(
        *(payload(number, status="queued") for number in range(36, 20, -1)),
        *(payload(20 - number, status=status) for number, status in enumerate(reached)),
        *(payload(number, status="running") for number in range(13, 8, -1)),
    )
    assert diff(previous, now).counts() == {
        "JobCountChange": 24,
        "JobsCreated": 16,
        "JobsSucceeded": 4,
        "JobsFailed": 2,
        "JobsCancelled": 1,
        "JobsRemoved": 8,
    }


def test_changes_of_one_second_stay_in_the_table_s_order() -> None:
    jobs = [payload(number, created_at=5, finished_at=None, status=status) for number, status in ((1, "a"), (3, "b"))]
    assert [change.job.id for change in diff([], lines(*jobs)).jobs] == [job["id"] for job in jobs]


def test_shutdown_is_a_change_below_a_new_job() -> None:
    job = payload(1, fine_tuned_model="ft:1")
    now = lines(payload(2), job, shutdown_date="2027-01-14")
    assert [change.fine_tuned_models for change in diff(lines(job), now).shutdowns] == [["ft:1"]]


def test_api_status_removed_is_not_a_removal() -> None:
    changes = diff(lines(payload(1, status="running")), lines(payload(1, status="Removed")))
    assert [(change.status, change.previous_status) for change in changes.jobs] == [("other", "running")]
    assert changes.counts()["JobsRemoved"] == 0


def test_change_of_another_column_than_status_is_not_reported() -> None:
    previous = lines(payload(1, status="running", updated_at=1_760_000_100))
    now = lines(payload(1, status="running", updated_at=1_760_000_200, method={"type": "dpo"}))
    assert diff(previous, now) == diff([], [])


def test_shutdown_is_one_change_for_each_base_model() -> None:
    jobs = [
        payload(4, model="ft:gpt-a:x::y", fine_tuned_model="ft:4"),
        payload(3, model="gpt-a", fine_tuned_model="ft:3"),
        payload(2, model="gpt-b", fine_tuned_model="ft:2"),
        payload(1, model="gpt-a"),
    ]
    changes = diff(lines(*jobs), lines(*jobs, shutdown_date="2027-01-14"))
    assert changes.jobs == []
    assert changes.shutdowns == [
        ShutdownChange("gpt-a", "2027-01-14", "", ["ft:4", "ft:3"]),
        ShutdownChange("gpt-b", "2027-01-14", "", ["ft:2"]),
    ]
    (withdrawn, _) = diff(lines(*jobs, shutdown_date="2027-01-14"), lines(*jobs)).shutdowns
    assert withdrawn == ShutdownChange("gpt-a", "", "2027-01-14", ["ft:4", "ft:3"])


def test_new_model_is_no_shutdown_change() -> None:
    previous = lines(payload(1, status="running"))
    changes = diff(previous, lines(payload(1, fine_tuned_model="ft:1"), shutdown_date="2027-01-14"))
    assert [change.status for change in changes.jobs] == ["succeeded"]
    assert changes.shutdowns == []


tables = st.dictionaries(st.integers(0, 20), st.sampled_from(["running", "failed", "succeeded"]), max_size=12)


@given(tables, tables)
def test_changes_transform_one_table_into_the_other(before: dict[int, str], after: dict[int, str]) -> None:
    def rows(statuses: dict[int, str]) -> list[Line]:
        return lines(*(payload(number, status=statuses[number]) for number in sorted(statuses, reverse=True)))

    changes = diff(rows(before), rows(after))
    replayed = dict(before)
    for change in changes.jobs:
        number = int(change.job.id[6:])
        assert replayed.get(number) == change.previous_status
        if change.status == "removed":
            del replayed[number]
        else:
            replayed[number] = change.status
    assert replayed == after
    assert changes.counts()["JobCountChange"] == len(before.keys() ^ after.keys())
