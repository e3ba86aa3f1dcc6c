"""What an incremental listing need not read again, and what the previous table adds to a job."""

from typing import Any

import pytest
from snapshot import table
from snapshot.job import Job, parse
from snapshot.previous import OVERLAP, PreviousTable
from snapshot.table import Line

from tests.samples import payload


def a_job(number: int, **fields: Any) -> Job:
    return parse(payload(number, **fields)).job


def lines_of(jobs: list[Job]) -> list[Line]:
    return [table.to_line(job) for job in jobs]


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


JOBS = [a_job(number) for number in range(40, 0, -1)]
LINES = lines_of(JOBS)
SECOND = 1_760_000_000
# All but the newest were created in the same second.
OF_ONE_SECOND = [a_job(40), *(a_job(number, created_at=SECOND) for number in range(39, 0, -1))]


@pytest.mark.parametrize("start", [1, 2, 19])
def test_consecutive_unchanged_jobs_are_an_overlap(start: int) -> None:
    assert PreviousTable(LINES).overlap_end(JOBS[start : start + OVERLAP]) == start + OVERLAP


@pytest.mark.parametrize("start", [1, 2, 5, 19])
def test_unchanged_jobs_are_found_among_others_of_their_second(start: int) -> None:
    overlap = OF_ONE_SECOND[start : start + OVERLAP]
    assert PreviousTable(lines_of(OF_ONE_SECOND)).overlap_end(overlap) == start + OVERLAP


def test_the_first_unchanged_job_may_be_the_last_one_of_its_second() -> None:
    jobs = [a_job(60), a_job(50, created_at=SECOND + 41), a_job(49, created_at=SECOND + 41), *JOBS]
    assert PreviousTable(lines_of(jobs)).overlap_end(jobs[2 : OVERLAP + 2]) == OVERLAP + 2


CHANGED = JOBS[5]._replace(status="running")
NO_END = {
    "too few": JOBS[1:OVERLAP],
    "one with another status": [*JOBS[1:5], CHANGED, *JOBS[6 : OVERLAP + 1]],
    "in another order": [*JOBS[1:5], JOBS[6], JOBS[5], *JOBS[7 : OVERLAP + 1]],
    "one that is not in the table": [*JOBS[1:5], *JOBS[6 : OVERLAP + 2]],
    "the first is not in the table": [a_job(99, created_at=SECOND + 39), *JOBS[2 : OVERLAP + 1]],
    "the end of the table, which cannot say that more jobs are there": JOBS[-OVERLAP:],
    "older than the table": [a_job(number, created_at=SECOND - number) for number in range(OVERLAP)],
}


@pytest.mark.parametrize("what", NO_END)
def test_overlap_has_the_same_jobs(what: str) -> None:
    assert PreviousTable(LINES).overlap_end(NO_END[what]) is None


def test_jobs_of_the_newest_second_are_no_overlap() -> None:
    """A new job of the same second may be listed below them."""
    jobs = [a_job(number) for number in range(9, 0, -1)]
    jobs = [a_job(number, created_at=SECOND + 50) for number in range(60, 30, -1)] + jobs
    assert PreviousTable(lines_of(jobs)).overlap_end(jobs[1 : OVERLAP + 1]) is None


def test_only_the_last_of_the_unchanged_jobs_has_to_be_older_than_the_newest() -> None:
    jobs = [a_job(number, created_at=SECOND + 50) for number in range(60, 41, -1)] + JOBS
    assert PreviousTable(lines_of(jobs)).overlap_end(jobs[:OVERLAP]) == OVERLAP


def test_empty_or_edited_table_has_no_overlap() -> None:
    assert PreviousTable([]).overlap_end(JOBS[:OVERLAP]) is None
    edited = [Line(line.replace(b"2025-", b"25-")) for line in LINES[1:]]
    assert PreviousTable([LINES[0], *edited]).overlap_end(JOBS[1 : OVERLAP + 1]) is None


# --- Unfinished jobs below ---

UNFINISHED = (10, 20, 25)
MIXED = [job._replace(status="paused") if place in UNFINISHED else job for place, job in enumerate(JOBS)]


@pytest.mark.parametrize(
    ("start", "found"), [(0, UNFINISHED), (10, UNFINISHED), (11, UNFINISHED[1:]), (25, UNFINISHED[2:]), (26, ())]
)
def test_unfinished_jobs_below_a_position_are_found(start: int, found: tuple[int, ...]) -> None:
    previous = PreviousTable(lines_of(MIXED))
    assert previous.unfinished(start, ids(MIXED[:start]), 3) == [MIXED[place].id for place in found]


def test_more_unfinished_jobs_than_are_retrieved_are_not_named() -> None:
    previous = PreviousTable(lines_of(MIXED))
    assert previous.unfinished(5, ids(MIXED[:5]), 3) is not None
    assert previous.unfinished(5, ids(MIXED[:5]), 2) is None


@pytest.mark.parametrize(
    "read",
    [ids(JOBS[1:5]), ids([JOBS[0], *JOBS[2:5]]), ids(JOBS[:4]), ids([*JOBS[:5], JOBS[30]]), ids([*JOBS[:5], JOBS[5]])],
)
def test_lines_are_carried_over_only_if_exactly_the_jobs_above_were_read(read: list[str]) -> None:
    assert PreviousTable(LINES).unfinished(5, read, 3) is None


def test_new_reading_forgets_the_previous_one() -> None:
    previous = PreviousTable(LINES)
    assert previous.unfinished(5, ids(JOBS[:5]), 3) == []
    assert previous.unfinished(5, [], 3) == []  # jobs that were read before still count
    previous.forget_reading()
    assert previous.unfinished(5, [], 3) is None
    assert previous.unfinished(1, [], 3) is None


def test_unread_unfinished_job_counts_as_lost() -> None:
    previous = PreviousTable(lines_of(MIXED))
    unfinished = [MIXED[place].id for place in UNFINISHED]
    assert not previous.has_lost(unfinished)
    assert previous.has_lost(unfinished[:2])
    assert not PreviousTable(LINES).has_lost([])


# --- Requests in advance ---


def test_active_jobs_are_those_with_a_known_event() -> None:
    dated = {"updated_at": "2025-10-10T00:00:00.000Z"}
    jobs = [
        a_job(5, status="running", finished_at=None)._replace(**dated),
        a_job(4, status="paused", finished_at=None)._replace(**dated),
        a_job(3, status="succeeded")._replace(**dated),
        a_job(2, status="running", finished_at=None)._replace(updated_at=a_job(2).created_at),  # a placeholder
        a_job(1, status="queued", finished_at=None)._replace(**dated),
    ]
    assert [*PreviousTable(lines_of(jobs)).active()] == [jobs[0].id, jobs[4].id]


@pytest.mark.parametrize(("end", "size", "ends"), [(1, 10, (0, 10, 20, 30)), (10, 10, (9, 19, 29)), (39, 5, (38,))])
def test_page_ends_follow_from_the_table(end: int, size: int, ends: tuple[int, ...]) -> None:
    assert PreviousTable(LINES).page_ends(end, size) == [JOBS[place].id for place in ends]


def test_no_page_is_expected_after_the_last_job() -> None:
    assert PreviousTable(LINES).page_ends(40, 10) == []


# --- Completing a job ---

KNOWN = a_job(1, fine_tuned_model="ft:a", finished_at=None)._replace(
    shutdown_date="2030-01-01", updated_at="2025-10-10T00:00:00.000Z"
)


@pytest.mark.parametrize(
    ("before", "now", "shutdown_date", "updated_at"),
    [
        ({}, {}, "2030-01-01", "2025-10-10T00:00:00.000Z"),
        ({}, {"fine_tuned_model": "ft:b"}, "", "2025-10-10T00:00:00.000Z"),
        ({"status": "success"}, {}, "2030-01-01", "2025-10-10T00:00:00.000Z"),
        ({"status": "failed"}, {}, "2030-01-01", ""),
        ({"status": "running"}, {"status": "running"}, "2030-01-01", ""),
        ({}, {"updated_at": "2025-10-11T00:00:00.000Z"}, "2030-01-01", "2025-10-11T00:00:00.000Z"),
        ({"updated_at": KNOWN.created_at}, {}, "2030-01-01", ""),  # a placeholder
    ],
)
def test_known_values_of_an_unchanged_job_are_kept(
    before: dict[str, str], now: dict[str, str], shutdown_date: str, updated_at: str
) -> None:
    job = KNOWN._replace(shutdown_date="", updated_at="")._replace(**now)
    merged = table.from_line(PreviousTable(lines_of([KNOWN._replace(**before)])).merged(job))
    assert merged == job._replace(shutdown_date=shutdown_date, updated_at=updated_at)


def test_unchanged_line_is_the_same_object() -> None:
    (line,) = lines = lines_of([KNOWN])
    previous = PreviousTable(lines)
    assert previous.merged(KNOWN._replace(shutdown_date="", updated_at="")) is line
    assert previous.merged(KNOWN) is line
    assert previous.known(KNOWN.id) is line


def test_job_is_found_at_any_position() -> None:
    assert PreviousTable(LINES).find(JOBS[0]) == LINES[0]
    previous = PreviousTable(LINES)
    for job in (JOBS[-1], JOBS[0], JOBS[20]):
        assert previous.find(job) == table.to_line(job)
    assert previous.find(a_job(99)) is None
    assert PreviousTable(lines_of(OF_ONE_SECOND)).find(OF_ONE_SECOND[-1]) == table.to_line(OF_ONE_SECOND[-1])
    no_time = [Line(line[line.index(b"\t") :]) for line in LINES]  # the table of another version
    assert PreviousTable(no_time).find(JOBS[-1]) == no_time[-1]
