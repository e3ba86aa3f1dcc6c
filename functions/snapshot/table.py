"""The table as TSV: a header and one line per job, newest job first.

Modules pass it on as `list[Line]`; only this module splits a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NewType, cast

from snapshot.job import Job
from snapshot.statuses import ACTIVE, KNOWN_STATUSES, TERMINAL, meaning

# A job's line without its line feed.
Line = NewType("Line", bytes)

CREATED_AT, UPDATED_AT, STATUS, MODEL, ID, FINE_TUNED_MODEL, SHUTDOWN_DATE, FINISHED_AT = map(
    Job._fields.index,
    ("created_at", "updated_at", "status", "model", "id", "fine_tuned_model", "shutdown_date", "finished_at"),
)
_PIECE = 1000  # lines that are written together
HEADER = "\t".join(Job._fields).encode()


def to_line(job: Job) -> Line:
    """Return a job's line; lone surrogates, which UTF-8 cannot encode, become `?`."""
    return Line("\t".join(job).encode("utf-8", "replace"))


def from_line(line: Line) -> Job:
    """Return the job in a line."""
    return Job(*line.decode().split("\t"))


def field(line: Line, column: int) -> bytes:
    """Return one field of a line, without splitting the rest."""
    return line.split(b"\t", column + 1)[column]


def head(line: Line) -> list[bytes]:
    """Return the fields of a line up to `shutdown_date`, and the rest unsplit as the last item."""
    return line.split(b"\t", SHUTDOWN_DATE + 1)


def with_shutdown_date(line: Line, shutdown_date: bytes) -> Line:
    """Return a line with another `shutdown_date`."""
    fields = head(line)
    fields[SHUTDOWN_DATE] = shutdown_date
    return Line(b"\t".join(fields))


def job_id(line: Line) -> str:
    """Return the id in a line."""
    return line.split(b"\t", ID + 1)[ID].decode()


def status(line: Line) -> str:
    """Return the status in a line."""
    return line.split(b"\t", STATUS + 1)[STATUS].decode()


def is_terminal(line: Line) -> bool:
    """Return whether the job has ended; for an unknown status, whether it has a `finished_at`."""
    meant = meaning(status(line))
    return meant in TERMINAL or (meant not in KNOWN_STATUSES and bool(field(line, FINISHED_AT)))


def is_active(line: Line) -> bool:
    """Return whether the job is active; for an unknown status, whether it has no `finished_at`."""
    meant = meaning(status(line))
    return meant in ACTIVE or (meant not in KNOWN_STATUSES and not field(line, FINISHED_AT))


def created_at(line: Line) -> str:
    """Return `created_at`, by which lines are ordered; empty if another version's table has no such column."""
    return line[: line.index(b"\t")].decode()


def newest_first(lines: list[Line]) -> None:
    """Sort in place by `created_at`; jobs with the same time keep their order."""
    lines.sort(key=created_at, reverse=True)


def differing(previous: Sequence[Line], lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    """Return the lines of two tables without their common end, which is nearly all of a long table."""
    common = 0
    for line, other in zip(reversed(previous), reversed(lines), strict=False):
        if line != other:
            break
        common += 1
    return previous[: len(previous) - common], lines[: len(lines) - common]


def to_file(lines: Sequence[Line]) -> Iterator[bytes]:
    """Yield the whole file in pieces, the header first."""
    yield HEADER + b"\n"
    for start in range(0, len(lines), _PIECE):
        yield b"\n".join([*lines[start : start + _PIECE], b""])


def from_file(file: Iterable[bytes]) -> tuple[list[Line], bool]:
    """Return a file's lines in this version's columns, and whether the file has exactly these columns.

    Columns are found by their names in the header. Raises ValueError if `id` or `status` is missing, or for a bad line.
    """
    rows = iter(file)
    line = next(rows, b"")
    columns = line.rstrip(b"\n").decode().split("\t")
    if not {"id", "status"} <= set(columns):
        raise ValueError("the header has no id or no status")
    lines, tabs = [], len(columns) - 1
    for line in rows:
        # Decode to check the encoding: UnicodeDecodeError is a ValueError.
        if line.decode().count("\t") != tabs:
            raise ValueError("a line has more or fewer fields than the header")
        lines.append(line[:-1])
    if not line.endswith(b"\n"):
        raise ValueError("the last line is cut off")
    if columns == [*Job._fields]:
        return cast("list[Line]", lines), True
    return [_in_these_columns(row, columns) for row in lines], False


def _in_these_columns(row: bytes, columns: Sequence[str]) -> Line:
    fields = dict(zip(columns, row.decode().split("\t"), strict=True))
    return to_line(Job(*(fields.get(column, "") for column in Job._fields)))
