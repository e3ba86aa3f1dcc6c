"""The input of a run: the function's environment and the invocation's event."""

import os
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from snapshot.errors import EventError, SettingsError

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_SOURCE = "default"
DEFAULT_SECRET_PREFIX = "fine-tuning/"  # noqa: S105  # a prefix of names, not a secret

MAX_AHEAD = timedelta(minutes=15)  # how far a snapshot's time may lie in the future, because clocks differ

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAX_AGE = timedelta(hours=24)  # EventBridge Scheduler retries for at most this long


class Settings(NamedTuple):
    """The function's environment, the same for every run."""

    bucket: str
    secret_prefix: str
    base_url: str
    event_bus: str

    @classmethod
    def from_environment(cls) -> "Settings":
        """Return the settings in the environment; raises SettingsError naming the variable."""
        bucket = os.environ.get("SNAPSHOT_BUCKET", "")
        if not bucket:
            raise SettingsError("The environment variable SNAPSHOT_BUCKET is missing: set it to the bucket's name.")
        base_url = os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        if (problem := base_url_problem(base_url)) is not None:
            raise SettingsError(f"The environment variable OPENAI_BASE_URL {problem}")
        return cls(
            bucket,
            os.environ.get("SECRET_PREFIX", DEFAULT_SECRET_PREFIX),
            base_url,
            os.environ.get("EVENT_BUS_NAME", "default"),
        )


class Run(NamedTuple):
    """One invocation: its source, the snapshot's time (UTC, whole seconds), and whether to read every page."""

    source: str
    time: datetime
    full: bool

    @property
    def timestamp(self) -> str:
        """The snapshot's time in ISO 8601."""
        return f"{self.time:%Y-%m-%dT%H:%M:%SZ}"

    @classmethod
    def parse(cls, event: object, now: datetime | None = None) -> "Run":
        """Return the run in an event, bare or in an EventBridge rule's envelope; raises EventError naming the field."""
        now = now or datetime.now(UTC)
        if not isinstance(event, dict):
            raise EventError(f'The event must be a JSON object like {{"source": "default"}}, not {_kind(event)}.')
        if "detail-type" in event:
            detail = event.get("detail")
            fields = {**detail, "time": event.get("time")} if isinstance(detail, dict) else {"time": event.get("time")}
        else:
            fields = event
            # A misspelt field would silently get its default. (A rule's detail may hold any other fields.)
            if unknown := sorted(str(name) for name in event if name not in cls._fields):
                raise EventError(f"The event has the unknown field {unknown[0][:64]!r}: it takes {_FIELDS}.")
        source = fields.get("source", DEFAULT_SOURCE)
        if not isinstance(source, str) or not _SOURCE.fullmatch(source):
            raise EventError(
                f"The event's source {str(source)[:80]!r} is not valid: it must be 1 to 64 letters, digits, '_' or "
                "'-', the first a letter or digit (it becomes part of S3 keys and of the secret's name)."
            )
        full = fields.get("full", False)
        if not isinstance(full, bool):
            raise EventError(f"The event's full must be true or false, not {_kind(full)}.")
        return cls(source, _snapshot_time(fields.get("time"), now), full)


_FIELDS = ", ".join(Run._fields)


def base_url_problem(base_url: str) -> str | None:
    """Return what is wrong with a base URL, as the end of a sentence that does not show it; None if nothing is."""
    try:
        url = urlsplit(base_url)
        host, _ = url.hostname, url.port  # raises ValueError if the port is not a number
    except ValueError:
        host = None
    if host is None or not re.fullmatch(r"[\x21-\x7e]+", base_url):
        return f"is not a URL: it must look like {DEFAULT_BASE_URL}."
    if url.username is not None or url.query or url.fragment:
        return f"must have no user, query or fragment: it must look like {DEFAULT_BASE_URL}."
    if url.path.rstrip("/").endswith(("/fine_tuning", "/fine_tuning/jobs", "/models")):
        return f"must end before /fine_tuning or /models, like {DEFAULT_BASE_URL}."
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        return "must begin with https:// to protect the key (plain http is accepted for loopback addresses only)."
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _snapshot_time(value: Any, now: datetime) -> datetime:
    # EventBridge Scheduler replaces this placeholder; an event that was written by hand may still have it.
    if value is None or value == "<aws.scheduler.scheduled-time>":
        return now.replace(microsecond=0)
    try:
        time = datetime.fromisoformat(value)
        offset = time.utcoffset()
    except (TypeError, ValueError):
        offset = None
    if offset is None:
        raise EventError(
            f"The event's time {str(value)[:80]!r} is not valid: it must be ISO 8601 with a zone, "
            "like 2026-01-31T12:00:00Z. Without a time, the run takes the current one."
        )
    if not -_MAX_AGE <= time - now <= MAX_AHEAD:
        raise EventError(
            f"The event's time {value!r} is over 24 hours old or over 15 minutes ahead, but a snapshot shows the "
            "present. Without a time, the run takes the current one."
        )
    return time.astimezone(UTC).replace(microsecond=0)


def _kind(value: object) -> str:
    """Return the JSON type of a value, with its article."""
    return {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }.get(type(value), "null")
