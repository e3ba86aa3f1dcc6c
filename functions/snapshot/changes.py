"""What changed between two tables, found as the difference of two sets of lines: only the changed ones are parsed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from snapshot import table
from snapshot.job import Job, base_model
from snapshot.statuses import meaning
from snapshot.table import Line

REMOVED = "removed"


class JobChange(NamedTuple):
    """A job that was created (no previous status), changed its status, or was removed (the rest is as last seen).

    Statuses are what they mean (`statuses.meaning`); the job has the API's own word.
    """

    job: Job
    status: str
    previous_status: str | None


class ShutdownChange(NamedTuple):
    """A base model whose shutdown date changed, and the fine-tuned models that end with it; empty dates are absent."""

    model: str
    shutdown_date: str
    previous_shutdown_date: str
    fine_tuned_models: list[str]


class Changes(NamedTuple):
    """All changes, those of jobs newest job first."""

    jobs: Sequence[JobChange] = ()
    shutdowns: Sequence[ShutdownChange] = ()

    def counts(self) -> dict[str, int]:
        """The change metrics: name to number."""
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
    """The changes from one table's lines to another's."""
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
    """By id; as lines, because a new column or date changes every one of a long table."""
    known = set(others)
    return {table.job_id(line): line for line in lines if line not in known}


def _status(line: Line) -> str:
    meant = meaning(table.status(line))
    return "other" if meant == REMOVED else meant  # of a job that is there; the word is taken


def _shutdowns(before: Mapping[str, Line], now: Mapping[str, Line]) -> list[ShutdownChange]:
    """Grouped by base model; a model that has just been made has no announcement of its own."""
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
