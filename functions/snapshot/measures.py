"""What the metrics and the summary count in a table."""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import NamedTuple

from snapshot.job import ACTIVE, KNOWN_STATUSES, Job

OTHER = "other"

_CREATED_AT, _STATUS, _FINE_TUNED_MODEL, _SHUTDOWN_DATE = (
    Job._fields.index(column) for column in ("created_at", "status", "fine_tuned_model", "shutdown_date")
)
_ACTIVE = frozenset(status.encode() for status in ACTIVE)


class Measures(NamedTuple):
    """`by_status` has every known status, zeros included, and `other`; ages are in seconds."""

    job_count: int
    by_status: dict[str, int]
    oldest_active_age: float
    days_to_shutdown: int | None


def measure(lines: Collection[bytes], now: datetime, listed_models: Collection[bytes]) -> Measures:
    """Measure a table at the time of its snapshot.

    `listed_models` are the ids that the API lists as models: where fine-tuned ones are among them, one that is not
    listed any more is gone, and its end is past, whatever its date.
    """
    statuses: Counter[bytes] = Counter()
    oldest_active = b""
    ends: set[bytes] = set()
    listed_only = any(model.startswith(b"ft:") for model in listed_models)
    for line in lines:
        fields = line.split(b"\t", _SHUTDOWN_DATE + 1)
        statuses[fields[_STATUS]] += 1
        if fields[_STATUS] in _ACTIVE and (not oldest_active or fields[_CREATED_AT] < oldest_active):
            oldest_active = fields[_CREATED_AT]
        if fields[_SHUTDOWN_DATE] and (not listed_only or fields[_FINE_TUNED_MODEL] in listed_models):
            ends.add(fields[_SHUTDOWN_DATE])
    by_status = {status: statuses.pop(status.encode(), 0) for status in KNOWN_STATUSES}
    by_status[OTHER] = statuses.total()
    age = (now - datetime.fromisoformat(oldest_active.decode())).total_seconds() if oldest_active else 0.0
    return Measures(len(lines), by_status, max(age, 0.0), _days_to_first(ends, now.date()))


def _days_to_first(ends: Iterable[bytes], today: date) -> int | None:
    days = []
    for end in ends:
        with suppress(ValueError):  # somebody has edited the table before
            days.append((date.fromisoformat(end.decode()) - today).days)
    return min((count for count in days if count >= 0), default=None)
