"""The previous table, for a listing that reads only what may have changed since."""

from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from functools import cached_property

from snapshot import table
from snapshot.job import Job
from snapshot.statuses import TERMINAL, meaning
from snapshot.table import Line

# If the pages so far end with this many unchanged consecutive jobs, older pages are skipped.
OVERLAP = 20


class PreviousTable:
    """The lines of a table, newest first, with an index by id that grows only as far as needed."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._indexed = 0
        self._read_to = 0  # the jobs of all lines above this position have been read
        self._by_id: dict[str, Line] = {}

    def find(self, job: Job) -> Line | None:
        """Return the line of a job, or None."""
        while self._indexed < len(self.lines):
            line = self.lines[self._indexed]
            # The job is newer than this line, so it is not below. (The time is empty only in another version's table.)
            if "" < table.created_at(line) < job.created_at:
                break
            self._by_id[table.job_id(line)] = line
            self._indexed += 1
        return self._by_id.get(job.id)

    def active(self) -> Iterator[str]:
        """Yield the ids of active jobs, newest first, whose `updated_at` is later than `created_at`."""
        for position in self._unfinished:
            line = self.lines[position]
            if table.is_active(line) and table.field(line, table.UPDATED_AT) > table.created_at(line).encode():
                yield table.job_id(line)

    def known(self, job_id: str) -> Line | None:
        """Return the line of a job that `find` has indexed, or None."""
        return self._by_id.get(job_id)

    def merged(self, job: Job) -> Line:
        """Return the line of a job as the API lists it now, completed with what only this table knows."""
        before, line = self.find(job), table.to_line(job)
        if before and before != line:
            line = table.to_line(_with_what_was_known(job, table.from_line(before)))
        return before if before == line else line  # reuse the object, so that a long table is not in memory twice

    def forget_reading(self) -> None:
        """Reset before a new reading: no line counts as read."""
        self._read_to = 0

    def overlap_end(self, overlap: Sequence[Job]) -> int | None:
        """Return the position after the `overlap`, the last jobs that were read; None if more pages have to be read.

        The table must have these jobs in the same order with the same statuses. They must be older than its newest
        job: a job created in the same second may be new and listed below it. And the table must continue below them,
        because it is compared with a list that has more pages.
        """
        if len(overlap) < OVERLAP or not self.lines or overlap[-1].created_at >= table.created_at(self.lines[0]):
            return None
        try:
            start = bisect_left(
                self.lines, -_seconds(overlap[0].created_at), key=lambda line: -_seconds(table.created_at(line))
            )
        except ValueError:  # somebody has edited the table
            return None
        while start < len(self.lines) and table.job_id(self.lines[start]) != overlap[0].id:
            if table.created_at(self.lines[start]) != overlap[0].created_at:
                return None
            start += 1
        end = start + len(overlap)
        same = [(table.job_id(line), table.status(line)) for line in self.lines[start:end]] == [
            (job.id, job.status) for job in overlap
        ]
        return end if same and end < len(self.lines) else None

    def page_ends(self, end: int, size: int) -> list[str]:
        """Return the ids of the jobs that end pages of this `size`; the first one is above the position `end`."""
        return [table.job_id(line) for line in self.lines[end - 1 : -1 : size]]

    def unfinished(self, start: int, read: Container[str], most: int) -> list[str] | None:
        """Return the ids of the jobs from a position on that may still change; None if there are more than `most`.

        Also None if the jobs `read` are not exactly those above the position: a missing one was removed or has moved,
        and one from below may have changed places with others.
        """
        while self._read_to < start and table.job_id(self.lines[self._read_to]) in read:
            self._read_to += 1
        found = self._unfinished[bisect_left(self._unfinished, start) :]
        if self._read_to < start or len(found) > most or any(table.job_id(line) in read for line in self.lines[start:]):
            return None
        return [table.job_id(self.lines[position]) for position in found]

    def has_lost(self, read: Container[str]) -> bool:
        """Return whether an unfinished job is not among those `read`: it was removed, or it changed and moved away."""
        return any(table.job_id(self.lines[position]) not in read for position in self._unfinished)

    @cached_property
    def _unfinished(self) -> list[int]:
        """The positions of the jobs that may still change, in ascending order."""
        return [position for position, line in enumerate(self.lines) if not table.is_terminal(line)]


def _seconds(created_at: str) -> float:
    return datetime.fromisoformat(created_at).timestamp()


def _with_what_was_known(job: Job, before: Job) -> Job:
    if job.fine_tuned_model == before.fine_tuned_model:
        job = job._replace(shutdown_date=before.shutdown_date)
    # An updated_at that equals created_at was only a default.
    is_same_end = meaning(job.status) == meaning(before.status) in TERMINAL
    if not job.updated_at and is_same_end and before.updated_at > job.created_at:
        job = job._replace(updated_at=before.updated_at)
    return job
