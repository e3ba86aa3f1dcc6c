"""The changes between two tables, from the difference of two sets of lines: only changed lines are parsed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from snapshot import table
from snapshot.job import Job, base_model
from snapshot.statuses import meaning
from snapshot.table import Line

REMOVED = "removed"


class JobChange(NamedTuple):
    """A job that was created (no previous status), changed its status, or was removed (`job` is its last known state).

    Both statuses are meanings (`statuses.meaning`); `job.status` is the API's own word.
    """

    job: Job
    status: str
    previous_status: str | None


class ShutdownChange(NamedTuple):
    """A base model whose shutdown date changed, and its fine-tuned models; a date is empty if none is announced."""

    model: str
    shutdown_date: str
    previous_shutdown_date: str
    fine_tuned_models: list[str]


class Changes(NamedTuple):
    """All changes; those of jobs with the newest job first."""

    jobs: Sequence[JobChange] = ()
    shutdowns: Sequence[ShutdownChange] = ()

    def counts(self) -> dict[str, int]:
        """Return the change metrics, by name."""
        created = sum(change.previous_status is None for change in self.jobs)
        removed = self._reached(REMOVED)
        return {
            "JobCountChange": created + removed,
            "JobsCreated": created,
            "JobsSucceeded": self._reached("succeeded"),
            "JobsFailed": self._reached("failed"),
            "JobsCancelled": self._reached("cancelled"),
            "JobsRemoved": removed,
        }

    def _reached(self, status: str) -> int:
        return sum(change.status == status for change in self.jobs)


def diff(previous: Sequence[Line], lines: Sequence[Line]) -> Changes:
    """Return the changes from one table's lines to another's."""
    previous, lines = table.differing(previous, lines)
    before, now = _only_in(previous, lines), _only_in(lines, previous)
    jobs = []
    for job_id, line in now.items():
        status, previous_status = _status(line), _status(before[job_id]) if job_id in before else None
        if status != previous_status:
            jobs.append(JobChange(table.from_line(line), status, previous_status))
    jobs += [
        JobChange(table.from_line(line), REMOVED, _status(line)) for job_id, line in before.items() if job_id not in now
    ]
    jobs.sort(key=lambda change: change.job.created_at, reverse=True)
    return Changes(jobs, _shutdowns(before, now))


def _only_in(lines: Sequence[Line], others: Sequence[Line]) -> dict[str, Line]:
    """Return the lines that `others` lacks, by id; unparsed, because a new column changes every line of a table."""
    known = set(others)
    return {table.job_id(line): line for line in lines if line not in known}


def _status(line: Line) -> str:
    meant = meaning(table.status(line))
    return "other" if meant == REMOVED else meant  # a server's own status must not look like a removed job


def _shutdowns(before: Mapping[str, Line], now: Mapping[str, Line]) -> list[ShutdownChange]:
    """Return changed shutdown dates, grouped by base model; the date of a new fine-tuned model is not a change."""
    models: dict[tuple[str, str, str], list[str]] = {}
    for job_id, line in now.items():
        if job_id not in before:
            continue
        fields, known = table.head(line), table.head(before[job_id])
        model, date, known_date = (
            fields[table.FINE_TUNED_MODEL],
            fields[table.SHUTDOWN_DATE],
            known[table.SHUTDOWN_DATE],
        )
        if known[table.FINE_TUNED_MODEL] == model and known_date != date:
            key = (base_model(fields[table.MODEL].decode()), date.decode(), known_date.decode())
            models.setdefault(key, []).append(model.decode())
    return [ShutdownChange(*key, names) for key, names in models.items()]
