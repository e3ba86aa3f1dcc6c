"""`make logs`: prints the function's log, one line per entry, without the metric lines."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from operations import stack
from operations.errors import OperationError, run
from operations.log_lines import LEVELS, Entry, entries
from operations.terminal import say

_DEFAULT_SINCE = "1day ago"
_AGO = re.compile(r"(\d+)\s*(min|minute|h|hour|d|day|w|week)s?(\s+ago)?", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}  # by the first letter

# Filter patterns for CloudWatch. The first one leaves out the many metric lines.
_ALL = "-CloudWatchMetrics"
# A line must have one of these terms, so that CloudWatch sends only what `entries` may take for an error: in JSON the
# level of the function or the runtime, or the status in Lambda's report; in text the beginning of a crash, or the name
# of an error, which ends a traceback.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html
_ERRORS = (
    "?ERROR ?CRITICAL ?error ?failure ?timeout ?Traceback ?Error ?Exception "
    '?"Fatal Python error" ?"Task timed out" ?"Runtime exited"'
)


def main() -> None:
    """Print the log SINCE a time, with entries of LEVEL and above."""
    level = (os.environ.get("LEVEL") or LEVELS[0]).upper()
    if level not in LEVELS:
        raise OperationError(f"LEVEL must be one of {', '.join(LEVELS)}, not {level}.")
    since = start(os.environ.get("SINCE") or _DEFAULT_SINCE, datetime.now(UTC))
    deployed = stack.deployed()
    entry = None
    for entry in read(deployed.session.client("logs"), deployed.outputs["LogGroup"], since, level):
        print(entry)
    if entry is None:
        say(
            f"Nothing was logged since {since:%Y-%m-%d %H:%M} UTC{f' at {level} or above' if level != 'DEBUG' else ''}."
        )


def start(since: str, now: datetime) -> datetime:
    """Return the time that `since` means: minutes, hours, days or weeks ago, or ISO 8601 (UTC if it has no zone)."""
    try:
        if ago := _AGO.fullmatch(since.strip()):
            return now - timedelta(**{_UNITS[ago[2][0].lower()]: int(ago[1])})
        time = datetime.fromisoformat(since.strip())
    except (ValueError, OverflowError):
        raise OperationError(
            f"SINCE={since} is not valid: it must look like '2days ago', '30min ago' or 2026-01-31T12:00."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read(logs: Any, group: str, since: datetime, level: str) -> Iterator[Entry]:
    """Yield the entries of a level and above, oldest first."""
    is_error = LEVELS.index(level) >= LEVELS.index("ERROR")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=_ERRORS if is_error else _ALL
    )
    shown = LEVELS[LEVELS.index(level) :]
    for entry in entries(event for page in pages for event in page["events"]):
        if entry.level in shown or entry.level not in LEVELS:
            yield entry


if __name__ == "__main__":
    run(main)
