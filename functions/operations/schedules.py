"""The next run of a schedule of EventBridge Scheduler, if its expression shows it.

This needs a cron expression for every day in UTC, like the default. A rate counts from a time that AWS does not show,
and days of the month or week have their own rules; such an expression is shown unchanged.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from datetime import datetime, timedelta

_CRON = re.compile(r"cron\((\S+) (\S+) (?:\* \* \?|\? \* \*) \*\)")
_PART = re.compile(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?")


def next_run(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return the time of the next run (`now` is in UTC); None if it cannot be known."""
    cron = _CRON.fullmatch(expression)
    if not cron or timezone != "UTC":
        return None
    minutes, hours = _values(cron[1], 60), _values(cron[2], 24)
    if not minutes or not hours:
        return None
    time = now.replace(second=0, microsecond=0)
    return next(
        later
        for minute in range(1, 24 * 60 + 1)
        if (later := time + timedelta(minutes=minute)).minute in minutes and later.hour in hours
    )


def _values(field: str, end: int) -> set[int]:
    """Return the values below `end` of a cron field with `,`, `-`, `*` and `/`; none for any other field."""
    values: set[int] = set()
    for text in field.split(","):
        if not (part := _PART.fullmatch(text)):
            return set()
        everything, first, last, step = part.groups()
        # `5/15` means every 15th value from 5 to the end, `5` means only 5.
        stop = int(last) + 1 if last else end if everything or step else int(first) + 1
        values |= set(range(int(first or 0), min(stop, end), int(step or 1) or end))
    return values


def in_words(expression: str, timezone: str) -> str:
    """Return an expression without a known next run in a readable form."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return f"every {rate[2]}" if rate[1] == "1" else f"every {rate[1]} {rate[2]}s"
    return expression if timezone == "UTC" else f"{expression} {timezone}"
