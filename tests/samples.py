"""Payloads, jobs, files and times that several tests use."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from snapshot import table
from snapshot.job import Job
from snapshot.table import Line

# The sample of the workflow step that this project replaces: two jobs of the former API, newest first.
ORIGINAL_JOBS: list[dict[str, Any]] = [
    {
        "id": "ft-pYZvA9NP5ddBbe6ud6Mexjne",
        "created_at": 1690358426,
        "updated_at": 1690373766,
        "status": "succeeded",
        "model": "curie",
    },
    {
        "id": "ft-lN1WPLOp8rtoalbMG5Nctc0T",
        "created_at": 1690354635,
        "updated_at": 1690367024,
        "status": "succeeded",
        "model": "curie",
    },
]
ORIGINAL_COLUMNS = (
    b"2023-07-26T08:00:26.000Z\t2023-07-26T12:16:06.000Z\tsucceeded\tcurie\tft-pYZvA9NP5ddBbe6ud6Mexjne\n"
    b"2023-07-26T06:57:15.000Z\t2023-07-26T10:23:44.000Z\tsucceeded\tcurie\tft-lN1WPLOp8rtoalbMG5Nctc0T\n"
)


def payload(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a job object with the fields that every server sends; higher numbers are newer."""
    return {
        "object": "fine_tuning.job",
        "id": f"ftjob-{number:024}",
        "created_at": 1_760_000_000 + number,
        "status": "succeeded",
        "model": "gpt-4o-mini-2024-07-18",
        "finished_at": 1_760_003_600 + number,
    } | fields


def job(**columns: str) -> Job:
    """Return a job with these columns; the others are empty."""
    return Job(*[""] * len(Job._fields))._replace(**columns)


def file_of(lines: Sequence[Line]) -> bytes:
    """Return a whole file with these lines."""
    return b"".join(table.to_file(lines))


def lines_of(file: bytes) -> list[Line]:
    """Return the lines of a whole file."""
    return table.from_file(io.BytesIO(file))[0]


def at(**ago: float) -> str:
    """Return a time for an event, this long ago; the units are those of timedelta."""
    return f"{datetime.now(UTC) - timedelta(**ago):%Y-%m-%dT%H:%M:%SZ}"
