"""The previous table, for a listing that reads only what may have changed since."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime

from snapshot import table
from snapshot.job import TERMINAL, Job

# So many jobs at a page's end that are all as they were show that the pages below need not be read.
SEAM = 20


class Rows:
    """The rows of a table, newest first, found by id; indexed no further down than asked for."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines
        self._indexed = 0
        self._by_id: dict[str, bytes] = {}

    def find(self, job: Job) -> bytes | None:
        """The line of a job, if the table has one."""
        while self._indexed < len(self._lines):
            line = self._lines[self._indexed]
            # Older than the job, so it cannot be further down. (Only another version's table lacks the time.)
            if "" < table.created_at(line) < job.created_at:
                break
            self._by_id[table.job_id(line)] = line
            self._indexed += 1
        return self._by_id.get(job.id)


def seam_end(lines: Sequence[bytes], page: Sequence[Job]) -> int | None:
    """The position in a table below which nothing is new, if the end of a page tells: else None.

    It tells if its last jobs stand in the table as they are now, one after another. They have to be older than the
    table's newest job: one of the same second as that may have come since and stand below it.
    """
    seam = page[-SEAM:]
    if not lines or not seam or seam[-1].created_at >= table.created_at(lines[0]):
        return None
    try:
        start = bisect_left(lines, -_seconds(seam[0].created_at), key=lambda line: -_seconds(table.created_at(line)))
    except ValueError:  # somebody has edited the table
        return None
    while start < len(lines) and table.job_id(lines[start]) != seam[0].id:
        if table.created_at(lines[start]) != seam[0].created_at:
            return None
        start += 1
    end = start + len(seam)
    same = [(table.job_id(line), table.status(line)) for line in lines[start:end]] == [
        (job.id, job.status) for job in seam
    ]
    return end if same else None


def unfinished(lines: Sequence[bytes], read: Collection[str]) -> dict[str, int] | None:
    """Ids and positions of the jobs in `lines` that may change yet; None if one of the jobs already `read` is there."""
    found = {}
    for position, line in enumerate(lines):
        job_id = table.job_id(line)
        if job_id in read:
            return None
        if table.status(line) not in TERMINAL:
            found[job_id] = position
    return found


def _seconds(created_at: str) -> float:
    return datetime.fromisoformat(created_at).timestamp()
