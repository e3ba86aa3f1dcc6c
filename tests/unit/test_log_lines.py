"""The lines that `make logs` prints, and its start time."""

import inspect
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from operations import logs
from operations.errors import OperationError
from operations.log_lines import entries

NOW = datetime(2026, 11, 22, 13, 19, 54, tzinfo=UTC)


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone of the machine is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_times_without_a_zone_are_in_utc_on_every_machine() -> None:
    assert logs.start("2026-11-20T12:00", NOW) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    (entry,) = entries([{"timestamp": 0, "message": '{"level": "INFO", "message": "m"}'}])
    assert str(entry) == "1970-01-01T00:00:00Z INFO    - m"


@pytest.mark.parametrize(
    ("since", "expected"),
    {
        "1day ago": NOW - timedelta(days=1),
        "2days ago": NOW - timedelta(days=2),
        "2 Days": NOW - timedelta(days=2),
        "5mins ago": NOW - timedelta(minutes=5),
        "3h": NOW - timedelta(hours=3),
        "1 week ago": NOW - timedelta(weeks=1),
        "2026-11-20": datetime(2026, 11, 20, tzinfo=UTC),
        "2026-11-20T12:00": datetime(2026, 11, 20, 12, tzinfo=UTC),
        "2026-11-20T12:00+02:00": datetime(2026, 11, 20, 10, tzinfo=UTC),
    }.items(),
)
def test_the_log_begins_some_time_ago_or_at_a_time(since: str, expected: datetime) -> None:
    assert logs.start(since, NOW) == expected


@pytest.mark.parametrize("since", ["yesterday", "5", "5 moons ago", "99999999999 days", ""])
def test_invalid_time_is_reported(since: str) -> None:
    with pytest.raises(OperationError, match="is not valid: it must look like"):
        logs.start(since, NOW)


def raise_with_a_cause() -> None:
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError("wrong\n  in two lines") from error


def test_an_unexpected_error_is_shown_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Logger(service="test", stream=sys.stdout)
    try:
        raise_with_a_cause()
    except ValueError:
        logger.exception("The run failed with an unexpected error", source="a")
    (line,) = capsys.readouterr().out.splitlines()
    assert "direct cause" in line
    (entry,) = entries([{"timestamp": 0, "message": line}])
    text = "The run failed with an unexpected error: ValueError: wrong in two lines"
    assert str(entry) == f"1970-01-01T00:00:00Z ERROR   a {text}"


def traceback_lines(name: str, milliseconds: int) -> list[dict[str, Any]]:
    """Return the log events of an uncaught exception, as in a thread: one for each line."""
    written = subprocess.run(
        [sys.executable, "-c", f"{inspect.getsource(raise_with_a_cause)}\nraise_with_a_cause()"],
        stderr=subprocess.PIPE, check=False, text=True,
    ).stderr  # fmt: skip
    assert "direct cause" in written
    return [
        {"timestamp": milliseconds, "logStreamName": name, "message": line.replace("wrong", name)}
        for line in written.splitlines()
    ]


def test_traceback_in_text_is_shown_as_one_line() -> None:
    info = {"timestamp": 1500, "logStreamName": "a", "message": '{"level": "INFO", "message": "in between"}'}
    events = [*traceback_lines("a", 1000), info, *traceback_lines("a", 1999), *traceback_lines("b", 1999)]
    events += traceback_lines("b", 2000)
    assert [str(entry) for entry in entries(events)] == [
        "1970-01-01T00:00:01Z ERROR   - ValueError: a in two lines",
        "1970-01-01T00:00:01Z INFO    - in between",
        "1970-01-01T00:00:01Z ERROR   - ValueError: a in two lines",
        "1970-01-01T00:00:01Z ERROR   - ValueError: b in two lines",
        "1970-01-01T00:00:02Z ERROR   - ValueError: b in two lines",
    ]


def test_text_without_a_traceback_is_shown_whole() -> None:
    lines = ["Fatal Python error: Segmentation fault", "", "Current thread 0x1 (most recent call first):", "  File …"]
    (entry,) = entries({"timestamp": 0, "message": line} for line in lines)
    assert entry.message.splitlines() == lines
    assert [*entries([{"timestamp": 0, "message": "\n"}])] == []


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "platform.start", "record": {"requestId": "1"}}',
        '{"type": "platform.report", "record": {"requestId": "1", "status": "success"}}',
        '{"_aws": {"CloudWatchMetrics": []}, "message": "metrics", "level": "ERROR"}',
    ],
)
def test_successful_run_shows_only_the_function_s_own_lines(line: str) -> None:
    assert [*entries([{"timestamp": 0, "message": line}])] == []


def test_error_of_a_run_is_shown_once_that_of_a_start_always() -> None:
    at_a_start = '{"errorMessage": "m", "errorType": "ImportError", "requestId": ""}'
    lines = [
        '{"level": "ERROR", "message": "without a request"}',
        at_a_start,
        at_a_start,
        '{"level": "ERROR", "message": "of a run", "function_request_id": "1"}',
        '{"errorMessage": "m", "errorType": "ApiError", "requestId": "1"}',
        '{"type": "platform.report", "record": {"requestId": "1", "status": "error"}}',
        '{"type": "platform.report", "record": {"requestId": "2", "status": "timeout"}}',
    ]
    assert [entry.message for entry in entries({"timestamp": 0, "message": line} for line in lines)] == [
        "without a request",
        "ImportError: m",
        "ImportError: m",
        "of a run",
        "Lambda ended the run: it exceeded the time-out",
    ]


def test_entry_shows_its_fields_without_control_characters_or_zeros() -> None:
    line = '{"level": "INFO", "message": "red \\u001b[31m\\n", "changes": {"x": 0, "y": 2}, "full": false}'
    (entry,) = entries([{"timestamp": 0, "message": line}])
    assert str(entry) == "1970-01-01T00:00:00Z INFO    - red ?[31m y=2 full=false"


@pytest.mark.parametrize(
    "line", ['{"other": 1}', "[]", "5", '{"type": "platform.report"}', '{"message": 5, "level": 7}']
)
def test_unusual_line_raises_no_traceback(line: str) -> None:
    events: list[dict[str, Any]] = [{"timestamp": 0, "message": line}]
    assert [str(entry) for entry in entries(events)] in ([], [f"1970-01-01T00:00:00Z ERROR   - {line}"])
