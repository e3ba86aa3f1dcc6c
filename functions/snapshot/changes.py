"""What changed between two tables, found as the difference of two sets of lines: only the changed ones are parsed."""

from collections.abc import Sequence
from typing import NamedTuple

from snapshot import table
from snapshot.job import Job, base_model
from snapshot.table import Line

REMOVED = "removed"


class JobChange(NamedTuple):
    """A job that was created (no previous status), changed its status, or was removed (the rest is as last seen)."""

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
    previous, lines = _differing(previous, lines)
    before = _jobs_only_in(previous, lines)
    now = _jobs_only_in(lines, previous)
    changed = [JobChange(job, job.status, _status(before.get(job_id))) for job_id, job in now.items()]
    removed = [JobChange(job, REMOVED, job.status) for job_id, job in before.items() if job_id not in now]
    jobs = [change for change in changed if change.status != change.previous_status] + removed
    jobs.sort(key=lambda change: change.job.created_at, reverse=True)
    return Changes(jobs, _shutdowns(before, now))


def _differing(previous: Sequence[Line], lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    """Both without the ends that they have in common: of a long table nearly all."""
    common = 0
    for line, other in zip(reversed(previous), reversed(lines), strict=False):
        if line != other:
            break
        common += 1
    return previous[: len(previous) - common], lines[: len(lines) - common]


def _jobs_only_in(lines: Sequence[Line], others: Sequence[Line]) -> dict[str, Job]:
    known = set(others)
    return {job.id: job for job in (table.from_line(line) for line in lines if line not in known)}


def _status(job: Job | None) -> str | None:
    return job.status if job else None


def _shutdowns(before: dict[str, Job], now: dict[str, Job]) -> list[ShutdownChange]:
    """Grouped by base model; a model that has just been made has no announcement of its own."""
    models: dict[tuple[str, str, str], list[str]] = {}
    for job_id, job in now.items():
        known = before.get(job_id)
        if known and known.fine_tuned_model == job.fine_tuned_model and known.shutdown_date != job.shutdown_date:
            key = (base_model(job.model), job.shutdown_date, known.shutdown_date)
            models.setdefault(key, []).append(job.fine_tuned_model)
    return [ShutdownChange(*key, names) for key, names in models.items()]
