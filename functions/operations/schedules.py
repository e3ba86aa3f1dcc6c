"""When a schedule of EventBridge Scheduler runs next, as far as its expression says so.

Only what is sure: a cron expression for every day, in UTC, as the default is. A rate counts from a moment that AWS does
not tell, and days of the month and of the week have rules of their own; such an expression is shown as it is.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from datetime import datetime, timedelta

_CRON = re.compile(r"cron\((\S+) (\S+) (?:\* \* \?|\? \* \*) \*\)")
_PART = re.compile(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?")


def next_run(expression: str, timezone: str, now: datetime) -> datetime | None:
    """When it runs next (`now` is in UTC); None if that is not sure."""
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
    """The values below `end` that a field with `,`, `-`, `*` and `/` means; none if it has something else."""
    values: set[int] = set()
    for text in field.split(","):
        if not (part := _PART.fullmatch(text)):
            return set()
        everything, first, last, step = part.groups()
        # `5/15` goes on from 5 to the end, `5` is 5 alone.
        stop = int(last) + 1 if last else end if everything or step else int(first) + 1
        values |= set(range(int(first or 0), min(stop, end), int(step or 1) or end))
    return values


def in_words(expression: str, timezone: str) -> str:
    """An expression of which the next run is not sure, for a reader."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return f"every {rate[2]}" if rate[1] == "1" else f"every {rate[1]} {rate[2]}s"
    return expression if timezone == "UTC" else f"{expression} {timezone}"
