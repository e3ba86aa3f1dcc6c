"""What the operator's commands make of times, schedules and states, without an AWS."""

import ast
import inspect
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import operations
import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError, NoCredentialsError
from operations import alerts, changes, errors, findings, invoke, logs, states, status, terminal
from operations.errors import OperationError
from operations.log_lines import Entry, entries
from operations.observation import Alarm, Schedule, Secret, Snapshot, Subscriber
from operations.schedules import in_words, next_run
from operations.stack import Stack

from tests.documents import TEMPLATE

NOW = datetime(2026, 11, 22, 13, 19, 54, tzinfo=UTC)
STACK = Stack(
    "snapshots",
    boto3.Session(region_name="eu-west-1"),
    "UPDATE_COMPLETE",
    {"Topic": "arn:topic"},
    {"ScheduleState": "ENABLED", "NotificationEmail": ""},
)

# --- Schedules ---


@pytest.mark.parametrize(
    ("expression", "expected"),
    {
        "cron(0/15 * * * ? *)": "22 13:30",
        "cron(*/15 * ? * * *)": "22 13:30",
        "cron(7 3 * * ? *)": "23 03:07",
        "cron(19 13 * * ? *)": "23 13:19",  # that has just begun
        "cron(20 13 * * ? *)": "22 13:20",
        "cron(5,50 8-17/4 * * ? *)": "22 16:05",
        "cron(0-10 * * * ? *)": "22 14:00",
        "cron(* * * * ? *)": "22 13:20",
    }.items(),
)
def test_next_run_of_a_daily_cron_expression(expression: str, expected: str) -> None:
    time = next_run(expression, "UTC", NOW)
    assert time is not None
    assert f"{time:%d %H:%M}" == expected


@pytest.mark.parametrize(
    ("expression", "timezone", "words"),
    [
        ("rate(15 minutes)", "UTC", "every 15 minutes"),
        ("rate(1 hour)", "UTC", "every hour"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "cron(0 8 ? * MON-FRI *)"),
        ("cron(0 8 L * ? *)", "UTC", "cron(0 8 L * ? *)"),
        ("cron(0 8 * * ? 2027)", "UTC", "cron(0 8 * * ? 2027)"),
        ("cron(0 8 * * ? *)", "Europe/Berlin", "cron(0 8 * * ? *) Europe/Berlin"),
        ("cron(X 8 * * ? *)", "UTC", "cron(X 8 * * ? *)"),
        ("cron(70 8 * * ? *)", "UTC", "cron(70 8 * * ? *)"),
    ],
)
def test_uncertain_next_run_is_not_computed(expression: str, timezone: str, words: str) -> None:
    assert next_run(expression, timezone, NOW) is None
    assert in_words(expression, timezone) == words


def schedules(regular: str = "rate(15 minutes)", *, enabled: bool = True) -> list[Schedule]:
    return [
        Schedule("regular", "a", full=False, expression=regular, timezone="UTC", enabled=enabled),
        Schedule("full", "a", full=True, expression="cron(20 13 * * ? *)", timezone="UTC", enabled=enabled),
    ]


def test_next_run_is_the_earlier_one_of_both_schedules() -> None:
    assert findings.of_schedules(schedules("cron(0/15 * * * ? *)"), STACK, "a", NOW) == ("next run at 13:20 UTC", [])
    assert findings.of_schedules(schedules(), STACK, "a", NOW) == ("runs every 15 minutes", [])


def test_schedules_are_disabled_by_the_parameter_or_by_mistake() -> None:
    by_parameter = STACK._replace(parameters={"ScheduleState": "DISABLED"})
    disabled = schedules(enabled=False)
    assert findings.of_schedules(disabled, by_parameter, "a", NOW) == ("schedule DISABLED", [])
    assert len(findings.of_schedules(disabled, STACK, "a", NOW).problems) == 2


def test_schedules_of_other_sources_do_not_matter() -> None:
    others = [schedule._replace(source="b", enabled=False) for schedule in schedules()]
    own = schedules("cron(0/15 * * * ? *)")
    assert findings.of_schedules([*others, *own], STACK, "a", NOW) == ("next run at 13:20 UTC", [])


def test_missing_schedule_is_a_finding() -> None:
    (problem,) = findings.of_schedules(schedules()[:1], STACK, "a", NOW).problems
    assert problem.what.startswith("A schedule of a is missing.")


# --- Snapshots ---


@pytest.mark.parametrize(("minutes", "state", "told"), [(120, "ENABLED", 0), (121, "ENABLED", 1), (121, "DISABLED", 0)])
def test_old_snapshot_is_a_finding_while_the_schedule_is_enabled(minutes: int, state: str, told: int) -> None:
    stack = STACK._replace(parameters={"ScheduleState": state, "SnapshotMissingHours": "2"})
    taken = NOW - timedelta(minutes=minutes)
    found = findings.of_snapshot(Snapshot(taken, NOW, None), stack, "a", NOW)
    assert (found.text, len(found.problems)) == ("Snapshot 2 hours ago", told)


def test_jobs_are_counted_by_the_statuses_that_they_have_the_unknown_ones_last() -> None:
    counts = Counter({"failed": 1, "abandoned": 2, "running": 3, "queued": 0})
    assert findings.of_jobs(Snapshot(NOW, NOW, counts), STACK).text == "6 jobs: 3 running, 1 failed, 2 abandoned"
    assert findings.of_jobs(Snapshot(NOW, NOW, Counter()), STACK).text == "0 jobs"


# --- Secrets ---


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (Secret.USABLE, None),
        (Secret.MISSING, ("The secret deletion/a does not exist.", "make secret SOURCE=a STACK=snapshots")),
        (Secret.EMPTY, ("The secret deletion/a has no value.", "make secret SOURCE=a STACK=snapshots")),
        (
            Secret.DELETED,
            (
                "The secret deletion/a is scheduled for deletion.",
                "aws secretsmanager restore-secret --region eu-west-1 --secret-id deletion/a",
            ),
        ),
    ],
)
def test_only_a_deleted_secret_is_to_be_restored(secret: Secret, problem: tuple[str, str] | None) -> None:
    stack = STACK._replace(parameters={"SecretPrefix": "deletion/"})
    assert findings.of_secret(secret, stack, "a") == ("", [problem] if problem else ())


# --- The stack, alarms, subscribers, errors ---

DEPLOY = "make deploy STACK=snapshots"
WAIT = "Wait until that has ended."
BLOCKED = "No deployment is possible until this command has succeeded:"
OPTIONS = "--region eu-west-1 --stack-name snapshots"


@pytest.mark.parametrize(
    ("status", "what", "command"),
    [
        ("CREATE_FAILED", "the first deployment failed.", DEPLOY),
        ("ROLLBACK_IN_PROGRESS", f"the first deployment failed and is being undone. {WAIT}", ""),
        ("ROLLBACK_COMPLETE", "the first deployment failed and was undone.", DEPLOY),
        ("ROLLBACK_FAILED", "the first deployment failed and could not be undone.", DEPLOY),
        (
            "UPDATE_FAILED",
            f"the last deployment failed and was not undone. {BLOCKED}",
            f"aws cloudformation rollback-stack {OPTIONS}",
        ),
        ("UPDATE_ROLLBACK_IN_PROGRESS", f"the last deployment failed and is being undone. {WAIT}", ""),
        (
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            f"the last deployment failed and is being undone. {WAIT}",
            "",
        ),
        ("UPDATE_ROLLBACK_COMPLETE", "the last deployment failed and was undone.", DEPLOY),
        (
            "UPDATE_ROLLBACK_FAILED",
            f"the last deployment failed and could not be undone. {BLOCKED}",
            f"aws cloudformation continue-update-rollback {OPTIONS}",
        ),
        ("DELETE_FAILED", f"its deletion failed. {BLOCKED}", f"aws cloudformation delete-stack {OPTIONS}"),
    ],
)
def test_failed_operation_on_the_stack_is_a_finding(status: str, what: str, command: str) -> None:
    problem = findings.Problem(f"The stack is in {status}: {what}", command)
    assert findings.of_stack(STACK._replace(status=status)) == (status, [problem])


def test_every_other_state_of_a_stack_is_no_finding() -> None:
    shape: Any = boto3.client("cloudformation", region_name="eu-west-1").meta.service_model.shape_for("StackStatus")
    known = {status for status in shape.enum if not status.startswith("IMPORT_")}
    others = {status for status in known if "ROLLBACK" not in status and "FAILED" not in status}
    assert others == known - states.FAILURES.keys()
    assert others > states.SUCCESSES
    assert all(findings.of_stack(STACK._replace(status=status)) == (status, ()) for status in others)


def test_only_a_stack_whose_first_deployment_failed_may_be_deleted() -> None:
    deletable = {status for status, failure in states.FAILURES.items() if failure.never_created}
    assert deletable == {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


def alarm(state: str, since: datetime, *, source: str = "a", alarms_without_data: bool = False) -> Alarm:
    return Alarm("Alarm", source, state, since, "Reason.", "Do this.", True, alarms_without_data)


@pytest.mark.parametrize(
    ("state", "hours", "alarms_without_data", "told"),
    [
        ("INSUFFICIENT_DATA", 0.2, False, False),  # a new stack
        ("INSUFFICIENT_DATA", 2, False, True),  # metrics that do not arrive
        ("ALARM", 0.2, False, True),
        ("ALARM", 0.2, True, False),  # SnapshotMissing of a new stack
        ("ALARM", 2, True, True),  # SnapshotMissing, though there are snapshots
        ("ALARM", -2, True, True),
        ("OK", 2, False, False),
    ],
)
def test_alarm_without_data_yet_is_no_finding(state: str, hours: float, alarms_without_data: bool, told: bool) -> None:
    one = alarm(state, NOW - timedelta(hours=hours), alarms_without_data=alarms_without_data)
    found = alerts.of_alarms([one], STACK, ["a"], {"a": NOW})
    assert bool(found.problems) == told
    assert found.text == f"1 {'settling' if state == 'ALARM' and not told else state}"


def test_alarm_is_shown_since_a_time_in_utc() -> None:
    since = (NOW - timedelta(hours=3)).astimezone(timezone(timedelta(hours=9)))  # as boto3 returns it
    (problem,) = alerts.of_alarms([alarm("ALARM", since)], STACK, ["a"], {}).problems
    assert problem.what == "Alarm has been in ALARM since 2026-11-22 10:19 UTC (Reason). Do this."


def test_alarm_of_the_stack_is_judged_by_the_newest_snapshot_of_any_source() -> None:
    of_the_stack = alarm("INSUFFICIENT_DATA", NOW - timedelta(hours=2), source="")
    written = {"a": NOW, "b": NOW - timedelta(hours=5)}
    (problem,) = alerts.of_alarms([of_the_stack, alarm("OK", NOW)], STACK, ["a"], written).problems
    assert problem.what.startswith("Alarm has no data although there are snapshots")


def test_source_without_alarms_is_a_finding() -> None:
    (problem,) = alerts.of_alarms([alarm("OK", NOW)], STACK, ["a", "b"], {}).problems
    assert problem == ("No alarm of b sends a message.", "make deploy STACK=snapshots")


def test_unsubscribed_address_is_a_finding() -> None:
    stack = STACK._replace(parameters={"NotificationEmail": "a@example.com"})
    (problem,) = alerts.of_subscribers([], stack).problems
    assert problem.what.startswith("a@example.com is no longer subscribed.")


def test_address_is_quoted_for_the_shell() -> None:
    address = "o'hara+$HOME@example.com"
    stack = STACK._replace(parameters={"NotificationEmail": address})
    for subscribers in ([], [Subscriber("email", address, confirmed=False)]):
        found = alerts.of_subscribers(subscribers, stack)
        assert found.text == "no confirmed subscriber"
        (problem,) = found.problems
        assert shlex.split(problem.command)[-2:] == ["--notification-endpoint", address]


def test_only_mail_is_confirmed_by_hand() -> None:
    assert alerts.of_subscribers([Subscriber("https", "https://x.y", confirmed=False)], STACK).problems == []


def test_an_endpoint_that_may_hold_a_key_is_not_shown() -> None:
    pager = Subscriber("https", "https://events.example.com/integration/0123456789abcdef", confirmed=True)
    assert alerts.of_subscribers([pager], STACK) == ("https", [])


@pytest.mark.parametrize(("source", "told"), [("a", False), ("b", True), ("", True)])
def test_error_is_a_finding_until_its_source_has_a_snapshot(source: str, told: bool) -> None:
    error = Entry(NOW - timedelta(hours=1), "ERROR", source, "Wrong.")
    written = {"a": NOW, "b": NOW - timedelta(hours=2)}
    assert bool(alerts.of_errors({source: error}, STACK, written, NOW).problems) == told


def test_error_in_the_same_second_as_a_snapshot_is_no_finding() -> None:
    error = Entry(NOW.replace(microsecond=900_000), "ERROR", "a", "Wrong.")
    assert not alerts.of_errors({"a": error}, STACK, {"a": NOW}, NOW).problems


def test_last_error_is_shown_on_one_line_and_cut() -> None:
    message = f"red \x1b[31m\n{'x' * 400}"
    last = {
        source: Entry(NOW - timedelta(hours=hours), "ERROR", source, text)
        for source, hours, text in (("a", 3, "older"), ("b", 2, message), ("c", 4, "oldest"))
    }
    text = alerts.of_errors(last, STACK, {}, NOW).text
    assert text == f"2 hours ago, b: red ?[31m {'x' * 290}..."


@pytest.mark.parametrize(
    ("ago", "words"),
    {
        timedelta(seconds=59): "just now",
        timedelta(seconds=-5): "just now",
        timedelta(minutes=1): "1 minute ago",
        timedelta(minutes=119): "119 minutes ago",
        timedelta(hours=2): "2 hours ago",
        timedelta(hours=47, minutes=59): "47 hours ago",
        timedelta(days=2): "2 days ago",
    }.items(),
)
def test_age_is_in_the_largest_unit_of_which_there_are_two(ago: timedelta, words: str) -> None:
    assert findings.age(NOW - ago, NOW) == words


# --- The events of a deployment ---


def event(resource: str, status: str, reason: str = "") -> dict[str, Any]:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html
    event = {"LogicalResourceId": resource, "PhysicalResourceId": resource, "StackId": "snapshots"}
    return {**event, "ResourceStatus": status, **({"ResourceStatusReason": reason} if reason else {})}


def test_reason_of_a_failure_is_the_first_one_of_the_newest_operation() -> None:
    newest_first = [
        event("snapshots", "UPDATE_ROLLBACK_COMPLETE"),
        event("snapshots", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Rule]."),
        event("Alarm", "UPDATE_FAILED", "Resource update cancelled"),
        event("Topic", "UPDATE_FAILED", "a later one"),
        event("Rule", "UPDATE_FAILED", "the first one"),
        event("Policy", "UPDATE_FAILED", "Resource update cancelled"),  # at the same time
        event("Rule", "UPDATE_IN_PROGRESS"),
        event("snapshots", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Bucket", "CREATE_FAILED", "of an earlier operation"),
        event("snapshots", "CREATE_IN_PROGRESS", "User Initiated"),
    ]
    assert changes.first_failure(newest_first) == "Rule: the first one"
    assert changes.first_failure(newest_first[7:]) == "the stack's events give no reason"


def test_losses_are_what_is_removed_or_certainly_replaced() -> None:
    actions = [
        ("Add", "New", {}),
        ("Remove", "Old", {}),
        ("Modify", "Same", {"Replacement": "False"}),
        ("Modify", "Other", {"Replacement": "True"}),
        ("Modify", "Perhaps", {"Replacement": "Conditional"}),
    ]
    described = [
        {"ResourceChange": {"Action": action, "ResourceType": "AWS::S3::Bucket", "LogicalResourceId": name, **more}}
        for action, name, more in actions
    ]
    assert changes.losses_of(described) == ["removes AWS::S3::Bucket Old", "replaces AWS::S3::Bucket Other"]


def test_only_new_events_are_reported_oldest_first() -> None:
    newest_first = [{"EventId": number} for number in "54321"]
    assert [event["EventId"] for event in changes.events_after("2", newest_first)] == ["3", "4", "5"]
    assert changes.events_after("5", newest_first) == []


# --- Calls of AWS ---


def test_every_list_of_aws_is_read_to_its_last_page() -> None:
    calls = {
        node.func.attr
        for path in Path(operations.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    services = (*status._SERVICES, "cloudformation", "lambda")
    clients = [boto3.client(name, region_name="eu-west-1") for name in services]  # type: ignore[call-overload]
    with_pages = {name for client in clients for name in calls if hasattr(client, name) and _has_pages(client, name)}
    assert {"get_schedule", "describe_secret", "get_paginator"} <= calls
    assert with_pages == {"describe_stacks"}  # of one stack


def _has_pages(client: Any, call: str) -> bool:
    return call in client.meta.method_to_api_mapping and bool(client.can_paginate(call))


def test_only_a_denied_call_is_not_an_error() -> None:
    def call(code: str) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "DescribeAlarms")

    assert status._unless_denied(call, "AccessDenied") == status.Denied("DescribeAlarms")
    with pytest.raises(ClientError):
        status._unless_denied(call, "Throttling")


def test_a_run_is_waited_for_as_long_as_it_may_take() -> None:
    assert TEMPLATE["Resources"]["SnapshotFunction"]["Properties"]["Timeout"] < vars(invoke._CONFIG)["read_timeout"]


# --- Questions ---


@pytest.mark.parametrize(("typed", "confirmed"), {"y": True, "YES": True, "": False, "n": False, "yess": False}.items())
def test_only_yes_confirms(typed: str, confirmed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal_s = os.openpty()
    monkeypatch.delenv("CONFIRM", raising=False)
    with os.fdopen(terminal_s) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(keyboard, f"{typed}\n".encode())
        with nullcontext() if confirmed else pytest.raises(OperationError, match=r"^Nothing was changed\.$"):
            terminal.confirm("Deploy it?")
    os.close(keyboard)


@pytest.mark.parametrize(("value", "confirmed"), {"yes": True, "no": False, "": False}.items())
def test_without_a_terminal_only_the_variable_confirms(
    value: str, confirmed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONFIRM", value)
    (tmp_path / "input").write_text("yes\n")
    with (tmp_path / "input").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with nullcontext() if confirmed else pytest.raises(OperationError, match=r"set CONFIRM=yes\. Nothing was"):
            terminal.confirm("Deploy it?")


# --- Errors of AWS ---


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"])
def test_expired_credentials_are_to_be_renewed(code: str) -> None:
    told = errors.explain(ClientError({"Error": {"Code": code, "Message": "expired"}}, "DescribeStacks"))
    assert told.startswith("AWS refuses the credentials (expired). Set them with `aws configure`, ")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "\nStopped."),
        (OperationError("Wrong."), "Wrong."),
        (NoCredentialsError(), "There are no valid AWS credentials"),
        (
            ClientError({"Error": {"Code": "Throttling", "Message": "Slow down"}}, "Invoke"),
            "An error occurred (Throttl",
        ),
    ],
)
def test_failed_command_exits_with_a_message_and_status_1(error: BaseException, message: str) -> None:
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as exited:
        errors.run(command)
    assert str(exited.value.code).startswith(message)  # a text: Python prints it on standard error, with status 1


# --- The log ---


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with another time zone than UTC."""
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
    told = "The run failed with an unexpected error: ValueError: wrong in two lines"
    assert str(entry) == f"1970-01-01T00:00:00Z ERROR   a {told}"


def traceback_lines(name: str, milliseconds: int) -> list[dict[str, Any]]:
    """The log events of an exception that nothing catches, as in a thread: one for each line."""
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


@pytest.mark.parametrize("line", ['{"odd": 1}', "[]", "5", '{"type": "platform.report"}', '{"message": 5, "level": 7}'])
def test_unusual_line_raises_no_traceback(line: str) -> None:
    events: list[dict[str, Any]] = [{"timestamp": 0, "message": line}]
    assert [str(entry) for entry in entries(events)] in ([], [f"1970-01-01T00:00:00Z ERROR   - {line}"])
