"""The counts of a table, for the metrics and the summary."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import NamedTuple

from snapshot import table
from snapshot.models import Models
from snapshot.statuses import ACTIVE, KNOWN_STATUSES, meaning
from snapshot.table import Line

OTHER = "other"

_INACTIVE = {*KNOWN_STATUSES} - {*ACTIVE}


class Counts(NamedTuple):
    """`by_status` has the statuses with jobs now or in the previous table; `oldest_active_age` is in seconds."""

    job_count: int
    by_status: dict[str, int]
    oldest_active_age: float
    days_to_shutdown: int | None


def count(lines: Sequence[Line], previous: Sequence[Line], now: datetime, models: Models) -> Counts:
    """Count a table at the time of its snapshot. A fine-tuned model that `models` no longer lists counts as shut down.

    `days_to_shutdown` is None without models: the nearest known date may be that of a model that is already shut down.
    """
    statuses: Counter[bytes] = Counter()
    oldest_active = b""
    shutdown_dates: set[bytes] = set()
    listed_only = models.list_fine_tuned
    for line in lines:
        fields = table.head(line)
        status, created_at, shutdown_date = (
            fields[table.STATUS],
            fields[table.CREATED_AT],
            fields[table.SHUTDOWN_DATE],
        )
        statuses[status] += 1
        # The first condition is cached: without it, most lines would be split again.
        if meaning(status.decode()) not in _INACTIVE and (not oldest_active or created_at < oldest_active):
            oldest_active = created_at if table.is_active(line) else oldest_active
        if shutdown_date and (not listed_only or fields[table.FINE_TUNED_MODEL] in models.shutdown_dates):
            shutdown_dates.add(shutdown_date)
    age = (now - datetime.fromisoformat(oldest_active.decode())).total_seconds() if oldest_active else 0.0
    days = _days_to_first(shutdown_dates, now.date()) if models.shutdown_dates else None
    gone, _ = table.differing(previous, lines)  # lines of both tables are counted already
    return Counts(len(lines), _by_status(statuses, gone), max(age, 0.0), days)


def _by_status(statuses: Counter[bytes], previous: Iterable[Line]) -> dict[str, int]:
    counts = dict.fromkeys((_counted_as(table.status(line)) for line in previous), 0)
    for status, jobs in statuses.items():
        name = _counted_as(status.decode())
        counts[name] = counts.get(name, 0) + jobs
    return {status: counts[status] for status in (*KNOWN_STATUSES, OTHER) if status in counts}


def _counted_as(status: str) -> str:
    meant = meaning(status)
    return meant if meant in KNOWN_STATUSES else OTHER


def _days_to_first(shutdown_dates: Iterable[bytes], today: date) -> int | None:
    days = []
    for shutdown_date in shutdown_dates:
        with suppress(ValueError):  # somebody has edited the previous table
            days.append((date.fromisoformat(shutdown_date.decode()) - today).days)
    return min((count for count in days if count >= 0), default=None)
