"""The findings of `make status` on each part of a stack, without an AWS."""

import shlex
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from operations import alerts, findings, states
from operations.log_lines import Entry
from operations.observation import Alarm, Schedule, Secret, Snapshot, Subscriber
from operations.schedules import in_words, next_run
from operations.stack import Stack

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
        "cron(19 13 * * ? *)": "23 13:19",  # this minute has begun already
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


def test_schedules_of_other_sources_are_ignored() -> None:
    others = [schedule._replace(source="b", enabled=False) for schedule in schedules()]
    own = schedules("cron(0/15 * * * ? *)")
    assert findings.of_schedules([*others, *own], STACK, "a", NOW) == ("next run at 13:20 UTC", [])


def test_missing_schedule_is_a_finding() -> None:
    (problem,) = findings.of_schedules(schedules()[:1], STACK, "a", NOW).problems
    assert problem.what.startswith("A schedule of a is missing.")


# --- Snapshots ---


@pytest.mark.parametrize(
    ("minutes", "state", "reported"), [(120, "ENABLED", 0), (121, "ENABLED", 1), (121, "DISABLED", 0)]
)
def test_old_snapshot_is_a_finding_while_the_schedule_is_enabled(minutes: int, state: str, reported: int) -> None:
    stack = STACK._replace(parameters={"ScheduleState": state, "SnapshotMissingHours": "2"})
    taken = NOW - timedelta(minutes=minutes)
    found = findings.of_snapshot(Snapshot(taken, NOW, None), stack, "a", NOW)
    assert (found.text, len(found.problems)) == ("Snapshot 2 hours ago", reported)


def test_jobs_are_counted_by_status_with_unknown_ones_last() -> None:
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
def test_only_a_deleted_secret_gets_the_command_to_restore_it(secret: Secret, problem: tuple[str, str] | None) -> None:
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
    ("state", "hours", "alarms_without_data", "reported"),
    [
        ("INSUFFICIENT_DATA", 0.2, False, False),  # a new stack
        ("INSUFFICIENT_DATA", 2, False, True),  # metrics do not arrive
        ("ALARM", 0.2, False, True),
        ("ALARM", 0.2, True, False),  # SnapshotMissing of a new stack
        ("ALARM", 2, True, True),  # SnapshotMissing, though there are snapshots
        ("ALARM", -2, True, True),
        ("OK", 2, False, False),
    ],
)
def test_alarm_without_data_yet_is_no_finding(
    state: str, hours: float, alarms_without_data: bool, reported: bool
) -> None:
    one = alarm(state, NOW - timedelta(hours=hours), alarms_without_data=alarms_without_data)
    found = alerts.of_alarms([one], STACK, ["a"], {"a": NOW})
    assert bool(found.problems) == reported
    assert found.text == f"1 {'settling' if state == 'ALARM' and not reported else state}"


def test_alarm_is_shown_since_a_time_in_utc() -> None:
    since = (NOW - timedelta(hours=3)).astimezone(timezone(timedelta(hours=9)))  # boto3 returns the local time zone
    (problem,) = alerts.of_alarms([alarm("ALARM", since)], STACK, ["a"], {}).problems
    assert problem.what == "Alarm has been in ALARM since 2026-11-22 10:19 UTC (Reason). Do this."


def test_alarm_of_the_stack_is_compared_with_the_newest_snapshot_of_any_source() -> None:
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


@pytest.mark.parametrize(("source", "reported"), [("a", False), ("b", True), ("", True)])
def test_error_is_a_finding_until_its_source_has_a_snapshot(source: str, reported: bool) -> None:
    error = Entry(NOW - timedelta(hours=1), "ERROR", source, "Wrong.")
    written = {"a": NOW, "b": NOW - timedelta(hours=2)}
    assert bool(alerts.of_errors({source: error}, STACK, written, NOW).problems) == reported


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
