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
    """The lines of a table, newest first, found by id; indexed no further down than asked for."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._indexed = 0
        self._read_to = 0  # the lines above it have been read
        self._by_id: dict[str, Line] = {}

    def find(self, job: Job) -> Line | None:
        """The line of a job, if the table has one."""
        while self._indexed < len(self.lines):
            line = self.lines[self._indexed]
            # Older than the job, so it cannot be further down. (Only another version's table lacks the time.)
            if "" < table.created_at(line) < job.created_at:
                break
            self._by_id[table.job_id(line)] = line
            self._indexed += 1
        return self._by_id.get(job.id)

    def active(self) -> Iterator[str]:
        """Ids of the active jobs, newest first, of which more is known than when they were created."""
        for position in self._unfinished:
            line = self.lines[position]
            if table.is_active(line) and table.field(line, table.UPDATED_AT) > table.created_at(line).encode():
                yield table.job_id(line)

    def known(self, job_id: str) -> Line | None:
        """The line of a job that was found before."""
        return self._by_id.get(job_id)

    def merged(self, job: Job) -> Line:
        """The line of a job as the API gives it now, with what only this table knows."""
        before, line = self.find(job), table.to_line(job)
        if before and before != line:
            line = table.to_line(_with_what_was_known(job, table.from_line(before)))
        return before if before == line else line  # the same object: so a long table is not held twice

    def forget_reading(self) -> None:
        """Begin anew: none of the lines has been read."""
        self._read_to = 0

    def overlap_end(self, overlap: Sequence[Job]) -> int | None:
        """The position below which nothing is new, if the last jobs that were read show it: else None.

        They show it if they stand in the table as they are now, one after another. They have to be older than the
        table's newest job: one of the same second as that may have been created since and stand below it. And the
        table must go on below them, or it could not say that more jobs are there.
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
        """The jobs with which pages of a size end if they are those of this table, the first above position `end`."""
        return [table.job_id(line) for line in self.lines[end - 1 : -1 : size]]

    def unfinished(self, start: int, read: Container[str], most: int) -> list[str] | None:
        """Ids of the jobs from a position on that may still change; None if they are more than `most`.

        None, too, if those `read` are not just those above it: one that was not read is gone or has moved, and one that
        was read may have left its place to others.
        """
        while self._read_to < start and table.job_id(self.lines[self._read_to]) in read:
            self._read_to += 1
        found = self._unfinished[bisect_left(self._unfinished, start) :]
        if self._read_to < start or len(found) > most or any(table.job_id(line) in read for line in self.lines[start:]):
            return None
        return [table.job_id(self.lines[position]) for position in found]

    def has_lost(self, read: Container[str]) -> bool:
        """Whether an unfinished job is not among those `read`: it is gone, or it changed and has moved out of sight."""
        return any(table.job_id(self.lines[position]) not in read for position in self._unfinished)

    @cached_property
    def _unfinished(self) -> list[int]:
        """The positions of the jobs that may still change."""
        return [position for position, line in enumerate(self.lines) if not table.is_terminal(line)]


def _seconds(created_at: str) -> float:
    return datetime.fromisoformat(created_at).timestamp()


def _with_what_was_known(job: Job, before: Job) -> Job:
    if job.fine_tuned_model == before.fine_tuned_model:
        job = job._replace(shutdown_date=before.shutdown_date)
    # A time that equals created_at was only a stand-in.
    is_same_end = meaning(job.status) == meaning(before.status) in TERMINAL
    if not job.updated_at and is_same_end and before.updated_at > job.created_at:
        job = job._replace(updated_at=before.updated_at)
    return job
