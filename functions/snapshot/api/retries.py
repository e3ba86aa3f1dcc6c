"""Retries: which failed attempts are worth one, and how long to wait."""

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_FIRST_WAIT_SECONDS = 0.5
_MAX_RETRY_AFTER_SECONDS = 60
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


class FailedAttemptError(Exception):
    """A failed attempt worth retrying, not before `retry_after` seconds."""

    def __init__(self, reason: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


def is_transient(status: int) -> bool:
    """Return whether a retry may succeed: for all 5xx but 501 (Cloudflare sends 520 to 530, others 507 and 529)."""
    return status in {408, 409, 425, 429} or (500 <= status < 600 and status != 501)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds from retry-after-ms, else from Retry-After, as the official SDK does; None without either."""
    milliseconds, seconds = headers.get("retry-after-ms", "").strip(), headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        wait = float(milliseconds) / 1000
    elif _NUMBER.fullmatch(seconds):
        wait = float(seconds)
    else:
        try:
            wait = _seconds_until(seconds)
        except (ValueError, OverflowError):  # OverflowError: a year or zone out of range
            return None
    return wait if wait > 0 else None  # a retry without any wait would not help


def wait_seconds(attempt: int, retry_after: float | None) -> float:
    """Return the seconds to wait after a failed attempt; the first attempt has number 1."""
    if retry_after is not None:
        return min(retry_after, _MAX_RETRY_AFTER_SECONDS)
    longest: float = _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads the load, is not a secret


def _seconds_until(http_date: str) -> float:
    then = parsedate_to_datetime(http_date)
    left: timedelta = then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)
    return left.total_seconds()
