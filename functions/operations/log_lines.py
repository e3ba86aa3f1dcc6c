"""What a line of the function's log says: one of the function, of Lambda's Python runtime, or of Lambda itself.

The runtime and Lambda write JSON too, as the template asks for:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Every line of the function has these, or they are in the message or in the columns before it.
_NOT_SHOWN = {
    "level", "location", "message", "timestamp", "service", "version", "source", "snapshot_time", "cold_start",
    "function_name", "function_memory_size", "function_arn", "function_request_id", "xray_trace_id",
    "exception", "exception_name", "stack_trace", "bucket", "key",
}  # fmt: skip


class Entry(NamedTuple):
    """One line of the log; `source` is empty where only the request is known, and `fields` what else is to be seen."""

    time: datetime
    level: str
    source: str
    message: str
    fields: str = ""

    def __str__(self) -> str:
        what = plain(f"{self.message} {self.fields}")
        return f"{self.time:%Y-%m-%dT%H:%M:%SZ} {self.level:<7} {self.source or '-'} {what}"


def plain(text: str) -> str:
    """A text on one line, without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def entries(events: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """What events of CloudWatch Logs, oldest first, say; an error once, though the runtime and Lambda repeat it."""
    failed: set[str] = set()  # requests whose error has been shown
    for event in events:
        time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        try:
            line = json.loads(event["message"])
        except ValueError:
            line = None
        request: str
        match line:
            case {"_aws": _}:  # metrics
                entry, request = None, ""
            case {"message": str(), "level": str()}:
                entry, request = _of_function(time, line), line.get("function_request_id", "")
            case {"errorMessage": message, "errorType": kind, "requestId": str(request)}:
                entry = Entry(time, "ERROR", "", f"{kind}: {message}") if request not in failed else None
            case {"type": "platform.report", "record": dict(record)}:
                request = record.get("requestId", "")
                entry = _of_platform(time, record) if request not in failed else None
            case {"type": _}:  # the start of a run and the like
                entry, request = None, ""
            case _:  # Only what crashes writes text: the interpreter, or Lambda for it.
                entry, request = Entry(time, "ERROR", "", event["message"]), ""
        if entry:
            if request and entry.level in {"ERROR", "CRITICAL"}:
                failed.add(request)
            yield entry


def _of_function(time: datetime, line: Mapping[str, Any]) -> Entry:
    message = line["message"]
    if exception := line.get("exception"):
        message += f": {exception.strip().splitlines()[-1]}"
    fields = [_field(name, value) for name, value in line.items() if name not in _NOT_SHOWN]
    return Entry(time, line["level"], line.get("source", ""), message, " ".join(filter(None, fields)))


def _field(name: str, value: Any) -> str:
    """A field as NAME=VALUE; of counts those that are not 0."""
    if isinstance(value, dict):
        return " ".join(_field(inner, count) for inner, count in value.items() if count)
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def _of_platform(time: datetime, record: Mapping[str, Any]) -> Entry | None:
    """What a report at a run's end says, if that did not succeed.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    if (status := record.get("status", "success")) == "success":
        return None
    metrics = record.get("metrics", {})
    fields = [
        f"{name}={metrics[metric]:g} {unit}"
        for name, metric, unit in (
            ("duration", "durationMs", "ms"),
            ("memory", "maxMemoryUsedMB", "MB"),
            ("of", "memorySizeMB", "MB"),
        )
        if metric in metrics
    ]
    cause = {"timeout": "it took longer than a run may"}.get(status, record.get("errorType", status))
    return Entry(time, "ERROR", "", f"Lambda ended the run: {cause}", " ".join(fields))
