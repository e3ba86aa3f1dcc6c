"""Adds to the log groups of MiniStack: filters by terms, and Lambda's own lines in JSON."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ministack.services import cloudwatch_logs

_REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: (\S+) ms.*Memory Size: (\d+) MB\tMax Memory Used: (\d+) MB")
_TERM = re.compile(r'([-?]?)(?:"([^"]+)"|(\w+))(?:\s+|\Z)')


def close_gaps() -> None:
    """Accept all kinds of terms in a filter, and write Lambda's own lines as it does for the log format JSON."""
    cloudwatch_logs._compile_filter_pattern = _compile_pattern
    append = cloudwatch_logs._append_log_events
    cloudwatch_logs._append_log_events = lambda stream, events, *rest: append(stream, [*_in_json(events)], *rest)


def _compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Match terms that a line must have, must not have (`-`), or of which it must have one (`?`), in the same case.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html
    """
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(pattern):
        if not (match := _TERM.match(pattern, position)):
            raise ValueError(f"MiniStack is not made for this pattern: {pattern}")
        terms[match[1]].append(match[2] or match[3])
        position = match.end()
    if terms["?"] and (terms[""] or terms["-"]):
        raise ValueError(f"CloudWatch would ignore the terms with a question mark: {pattern}")

    def matches(message: str) -> bool:
        has_one = not terms["?"] or any(term in message for term in terms["?"])
        return has_one and all(term in message for term in terms[""]) and not any(t in message for t in terms["-"])

    return matches


def _in_json(events: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the lines of an invocation, with those of Lambda and of its Python runtime in JSON.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html; for the runtime's see
    tests/stack/test_runtime.py.
    """
    request, status, error = "", "success", ""
    trace: list[str] | None = None
    for event in events:
        message: str = event["message"]
        time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        line: Mapping[str, Any] | None = None
        if message.startswith("START RequestId: "):
            _, _, request, _, version = message.split()
            line = _platform(time, "platform.start", {"requestId": request, "version": version})
        elif request and message == "Traceback (most recent call last):":
            # Again for each error in a chain: the runtime reports only the last one.
            status, trace, error = "error", [], ""
            continue
        elif trace is not None and not message.startswith(("END RequestId: ", "REPORT RequestId: ")):
            if message.startswith(" "):
                trace.append(message)
            else:
                error = error or message
            continue
        elif report := _REPORT.match(message):
            size, used = int(report[3]), int(report[4])
            metrics = {"durationMs": float(report[2]), "memorySizeMB": size, "maxMemoryUsedMB": used}
            line = _platform(time, "platform.report", {"requestId": request, "metrics": metrics, "status": status})
        elif message.startswith("END RequestId: "):
            if trace is None:
                continue
            line, trace = _error(time, request, error, trace), None
        yield {**event, "message": json.dumps(line) if line else message}


def _error(time: datetime, request: str, error: str, trace: Sequence[str]) -> dict[str, Any]:
    kind, _, text = error.partition(": ")
    shown = {"errorMessage": text, "errorType": kind.split(".")[-1], "requestId": request, "stackTrace": trace}
    return {"timestamp": f"{time:%Y-%m-%dT%H:%M:%SZ}", "level": "ERROR", **shown}


def _platform(time: datetime, kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {"time": f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", "type": kind, "record": record}
