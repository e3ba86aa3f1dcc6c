"""Parsing of the function's log, whose lines are written by the function, Lambda's Python runtime, or Lambda itself.

The runtime and Lambda write JSON too, because the template selects it:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import dropwhile, groupby
from typing import Any, NamedTuple

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# These fields are in every line, or already shown in the message or the columns before it.
_NOT_SHOWN = {
    "level", "location", "message", "timestamp", "service", "version", "source", "snapshot_time", "cold_start",
    "function_name", "function_memory_size", "function_arn", "function_request_id", "xray_trace_id",
    "exception", "exception_name", "stack_trace", "bucket", "key",
}  # fmt: skip


class Entry(NamedTuple):
    """One line of the log; `source` is empty if the line does not name it; `fields` are the other fields to show."""

    time: datetime
    level: str
    source: str
    message: str
    fields: str = ""

    def __str__(self) -> str:
        what = plain(f"{self.message} {self.fields}")
        return f"{self.time:%Y-%m-%dT%H:%M:%SZ} {self.level:<7} {self.source or '-'} {what}"


def plain(text: str) -> str:
    """Return a text on one line, without control characters for the terminal."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def entries(events: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """Yield the entries in CloudWatch's log events, oldest first; an error that Lambda or the runtime repeats, once."""
    failed: set[str] = set()  # requests whose error has been shown
    for event in _with_whole_texts(events):
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
            case {"type": _}:  # other reports of Lambda, such as the start of a run
                entry, request = None, ""
            case _:  # not JSON: only a crash of the interpreter or of a thread writes text, or Lambda for it
                entry, request = Entry(time, "ERROR", "", _last_error(event["message"])), ""
        if entry:
            if request and entry.level in {"ERROR", "CRITICAL"}:
                failed.add(request)
            yield entry


def _with_whole_texts(events: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the events, with the lines of a text as one: Lambda logs each on its own, in a crash within a second."""

    def kind(event: Mapping[str, Any]) -> tuple[bool, Any, int]:
        return event["message"].startswith("{"), event.get("logStreamName"), event["timestamp"] // 1000

    for (is_json, _, _), group in groupby(events, kind):
        if is_json:
            yield from group
            continue
        first, *more = group
        text = "\n".join(event["message"] for event in (first, *more))
        if text.strip():
            yield {**first, "message": text}


def _last_error(text: str) -> str:
    """Return the error at the end of a traceback, without its causes and frames; any other text as it is."""
    _, _, last = text.rpartition("Traceback (most recent call last):\n")
    return "\n".join(dropwhile(lambda line: line.startswith("  "), last.splitlines())) or text


def _of_function(time: datetime, line: Mapping[str, Any]) -> Entry:
    message = line["message"]
    if exception := line.get("exception"):
        message += f": {_last_error(exception)}"
    fields = [_field(name, value) for name, value in line.items() if name not in _NOT_SHOWN]
    return Entry(time, line["level"], line.get("source", ""), message, " ".join(filter(None, fields)))


def _field(name: str, value: Any) -> str:
    """Return a field as NAME=VALUE; for an object, its values other than 0."""
    if isinstance(value, dict):
        return " ".join(_field(inner, count) for inner, count in value.items() if count)
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def _of_platform(time: datetime, record: Mapping[str, Any]) -> Entry | None:
    """Return the entry for Lambda's report of a run that failed; None for one that succeeded.

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
    cause = {"timeout": "it exceeded the time-out"}.get(status, record.get("errorType", status))
    return Entry(time, "ERROR", "", f"Lambda ended the run: {cause}", " ".join(fields))
