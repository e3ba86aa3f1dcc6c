"""The table as TSV: a header and one line per job, newest job first. It travels as `list[bytes]`, a line each."""

from collections.abc import Sequence

from snapshot.job import Job

_ID, _STATUS = Job._fields.index("id"), Job._fields.index("status")
HEADER = "\t".join(Job._fields).encode()


def to_line(job: Job) -> bytes:
    """A job's line, without its line feed; lone surrogates, which UTF-8 cannot hold, become `?`."""
    return "\t".join(job).encode("utf-8", "replace")


def from_line(line: bytes) -> Job:
    """The job in a line that `to_line` made."""
    return Job(*line.decode().split("\t"))


def job_id(line: bytes) -> str:
    """The id in a line, without a look at the rest."""
    return line.split(b"\t", _ID + 1)[_ID].decode()


def status(line: bytes) -> str:
    """The status in a line."""
    return line.split(b"\t", _STATUS + 1)[_STATUS].decode()


def created_at(line: bytes) -> str:
    """The time in a line by which lines are ordered, the first column; empty in another version's table without it."""
    return line[: line.index(b"\t")].decode()


def to_body(lines: Sequence[bytes]) -> bytes:
    """The whole file."""
    return b"\n".join([HEADER, *lines, b""])


def from_body(body: bytes) -> list[bytes]:
    """The lines of a file that this or another version of the program wrote, in this version's columns.

    Columns are found by the header's names. Raises ValueError without `id` or `status`, or if a line does not fit.
    """
    header, *lines = body.split(b"\n")
    if not lines or lines.pop():
        raise ValueError("the last line is cut off")
    columns = header.decode().split("\t")
    if not {"id", "status"} <= set(columns):
        raise ValueError("the header has no id or no status")
    # Decoded to be checked: a line that is no UTF-8 raises UnicodeDecodeError, which is a ValueError.
    if any(line.decode().count("\t") != len(columns) - 1 for line in lines):
        raise ValueError("a line has more or fewer fields than the header")
    if header == HEADER:
        return lines
    return [_in_these_columns(line, columns) for line in lines]


def _in_these_columns(line: bytes, columns: Sequence[str]) -> bytes:
    fields = dict(zip(columns, line.decode().split("\t"), strict=True))
    return to_line(Job(*(fields.get(column, "") for column in Job._fields)))


def newest_first(lines: list[bytes]) -> None:
    """Sort in place by `created_at`, the first column; jobs of one time stay in the order they are in."""
    lines.sort(key=created_at, reverse=True)
