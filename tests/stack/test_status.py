"""`make status` in each state of a stack that it distinguishes, in the embedded AWS."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from operations import deploy

from tests.documents import examples, section
from tests.make import Printed
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import Stack
from tests.stack.operator import Operator

ADDRESS = "someone@example.com"


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    # The schedules are enabled, but will hardly start a run during these tests.
    stack = Stack(
        aws,
        "observed",
        {"Sources": "alpha,team-b", "ScheduleExpression": "cron(1 3 * * ? *)", "NotificationEmail": ADDRESS},
    )
    aws.client("sns").confirm_subscription(TopicArn=stack.outputs["Topic"], Token=ADDRESS)
    for source in ("alpha", "team-b"):
        stack.put_secret(source, own_api.secret)
        stack.invoke(source=source)
    return stack


@pytest.fixture
def status(operator: Operator) -> Callable[[], Printed]:
    """Run `make status`, which must report a problem."""
    return lambda: operator.run("status", status=1)


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_all_is_well_after_the_first_snapshots(operator: Operator, own_api: SimulatedApi) -> None:
    printed = operator.make("status")
    assert printed.errors == ""
    assert printed.output.startswith("observed in us-east-1\n")
    assert printed.output.endswith("\nAll is well.\n")
    for source in ("alpha", "team-b"):
        assert re.search(
            rf"^{source} +Snapshot (just now|\d+ minutes? ago), next run at 03:0\d UTC$", printed.output, re.MULTILINE
        )
    assert printed.output.count(f"            {len(own_api.jobs)} jobs: ") == 2
    assert re.search(r"^Stack +CREATE_COMPLETE$", printed.output, re.MULTILINE)
    assert re.search(r"^Alarms +11 OK$", printed.output, re.MULTILINE)
    assert re.search(rf"^Messages +{ADDRESS}$", printed.output, re.MULTILINE)
    assert re.search(r"^Last error +none in the last day$", printed.output, re.MULTILINE)


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width: int, operator: Operator) -> None:
    printed = operator.run("status", COLUMNS=str(width))
    assert max(map(len, printed.output.splitlines())) <= width


def test_status_prints_plain_ascii(operator: Operator) -> None:
    assert operator.make("status", PYTHONIOENCODING="ascii").output.isascii()


def test_output_in_the_readme_is_real(operator: Operator) -> None:
    (sample,) = (text.removeprefix("$ make status\n") for text in examples(section("Operating"), "console"))

    def shape(text: str) -> list[str]:
        """Return the labels of each paragraph, or its first word."""
        return [re.sub(r"\d+", "0", line.split("  ")[0]) for line in text.splitlines() if line[:1] not in {"", " "}]

    assert max(map(len, sample.splitlines())) <= 80
    sample_shape, real = shape(sample), shape(operator.run("status").output)
    assert sample_shape[0] == "fine-tuning-snapshots in us-east-0"
    assert real[0] == "observed in us-east-0"
    assert sample_shape[2:] == real[3:]  # with one source and with two


@pytest.fixture(scope="module")
def newcomer(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator who gives their stack no name."""
    yield Operator(aws, tmp_path_factory.mktemp("home of a newcomer"))
    aws.client("cloudformation").delete_stack(StackName="fine-tuning-snapshots")


def test_all_is_well_after_following_the_readme(newcomer: Operator, own_api: SimulatedApi) -> None:
    assert newcomer.make("secret", given=own_api.secret).output == "fine-tuning/default\n"
    newcomer.make("deploy", given="\n" * 30)  # with the defaults
    newcomer.make("invoke")
    assert newcomer.make("latest").output.count("\n") == len(own_api.jobs) + 1
    output = newcomer.make("status").output
    assert output.startswith("fine-tuning-snapshots in us-east-1\n")
    assert output.endswith("\nAll is well.\n")
    (alarms,) = re.findall(r"^Alarms .+", output, re.MULTILINE)
    assert sum(map(int, re.findall(r"\d+", alarms))) == 6  # not those of the other stack in the account


def test_existing_default_stack_needs_no_name(aws: EmbeddedAws, tmp_path: Path) -> None:
    with Operator(aws, tmp_path).in_this_process():
        assert deploy._target().name == "fine-tuning-snapshots"  # a question would raise an error


# --- Sources ---


def test_source_without_a_snapshot_needs_a_first_run(stack: Stack, status: Callable[[], Printed]) -> None:
    with moved_away(stack, "latest/team-b.tsv"):
        output = status().output
    assert "- There is no snapshot of team-b yet.\n    make invoke SOURCE=team-b STACK=observed\n" in output
    assert "snapshot of alpha" not in output


def test_outdated_snapshot_is_reported(stack: Stack, status: Callable[[], Printed]) -> None:
    s3, bucket = stack.aws.client("s3"), stack.outputs["SnapshotBucket"]
    with moved_away(stack, "latest/team-b.tsv") as (body, metadata):
        taken = datetime.now(UTC) - timedelta(hours=3)
        old = metadata | {"snapshot-time": f"{taken:%Y-%m-%dT%H:%M:%SZ}"}
        s3.put_object(Bucket=bucket, Key="latest/team-b.tsv", Body=body, Metadata=old)
        output = status().output
    assert "The newest snapshot of team-b was taken 3 hours ago, which is over SnapshotMissingHours" in unwrapped(
        output
    )
    assert "    make logs LEVEL=ERROR STACK=observed\n" in output


def test_table_copied_without_its_metadata_is_as_old_as_the_object(stack: Stack, operator: Operator) -> None:
    with moved_away(stack, "latest/team-b.tsv") as (body, _):
        put_latest_of_team_b(stack, body)
        output = operator.run("status").output
    assert re.search(r"^team-b +Snapshot just now, ", output, re.MULTILINE)


def test_unreadable_table_is_no_problem(stack: Stack, operator: Operator, own_api: SimulatedApi) -> None:
    with moved_away(stack, "latest/team-b.tsv"):
        put_latest_of_team_b(stack, b"something else\n")
        output = operator.run("status").output
    assert "            a table that cannot be read\n" in output
    assert output.count(f"            {len(own_api.jobs)} jobs: ") == 1


def test_jobs_are_counted_in_the_words_of_openai(stack: Stack, operator: Operator) -> None:
    with moved_away(stack, "latest/team-b.tsv") as (body, _):
        assert b"\tsucceeded\t" in body
        put_latest_of_team_b(stack, body.replace(b"\tsucceeded\t", b"\tCompleted\t"))
        counts = re.findall(r"^ +\d+ jobs: .+", operator.run("status").output, re.MULTILINE)
    assert counts[0] == counts[1]  # of both sources


def put_latest_of_team_b(stack: Stack, body: bytes) -> None:
    s3 = stack.aws.client("s3")
    s3.put_object(Bucket=stack.outputs["SnapshotBucket"], Key="latest/team-b.tsv", Body=body)


@contextmanager
def moved_away(stack: Stack, key: str) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Remove an object from the bucket during the block."""
    s3, at = stack.aws.client("s3"), {"Bucket": stack.outputs["SnapshotBucket"], "Key": key}
    response = s3.get_object(**at)
    body = response["Body"].read()
    s3.delete_object(**at)
    try:
        yield body, response["Metadata"]
    finally:
        s3.put_object(**at, Body=body, Metadata=response["Metadata"])


def test_disabled_schedule_is_reported(stack: Stack, status: Callable[[], Printed]) -> None:
    scheduler, group = stack.aws.client("scheduler"), stack.outputs["ScheduleGroup"]
    name = stack.physical_ids("AWS::Scheduler::Schedule")["RegularListingteamb"].split("|")[-1].split("/")[-1]
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    taken = {
        name: schedule[name] for name in ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    }
    scheduler.update_schedule(**taken, State="DISABLED")
    try:
        output = status().output
    finally:
        scheduler.update_schedule(**taken, State="ENABLED")
    assert re.search(r"^team-b .*, schedule DISABLED$", output, re.MULTILINE)
    assert f"The schedule {name} is disabled, though ScheduleState is ENABLED." in unwrapped(output)


def test_missing_secret_is_reported_with_the_command(
    stack: Stack, own_api: SimulatedApi, status: Callable[[], Printed]
) -> None:
    secrets = stack.aws.client("secretsmanager")
    secrets.delete_secret(SecretId="observed/team-b", RecoveryWindowInDays=7)
    scheduled = status().output
    secrets.delete_secret(SecretId="observed/team-b", ForceDeleteWithoutRecovery=True)
    missing = status().output
    secrets.create_secret(Name="observed/team-b")
    without_value = status().output
    secrets.put_secret_value(SecretId="observed/team-b", SecretString="x", VersionStages=["AWSPENDING"])
    assert "- The secret observed/team-b has no value.\n" in status().output  # a run reads AWSCURRENT
    stack.put_secret("team-b", own_api.secret)
    assert "- The secret observed/team-b is scheduled for deletion.\n" in scheduled
    assert "    aws secretsmanager restore-secret --region us-east-1 --secret-id observed/team-b\n" in scheduled
    command = "    make secret SOURCE=team-b STACK=observed\n"
    assert f"- The secret observed/team-b does not exist.\n{command}" in missing
    assert f"- The secret observed/team-b has no value.\n{command}" in without_value


# --- An operator with few permissions ---


@pytest.mark.parametrize(
    ("action", "operation", "shown"),
    [
        ("s3:GetObject", "GetObject", "Snapshot not read, next run"),
        ("secretsmanager:DescribeSecret", "DescribeSecret", "secret not read\n"),
        ("scheduler:*", "ListSchedules", "schedule not read\n"),
        ("cloudwatch:DescribeAlarms", "DescribeAlarms", "Alarms      not read\n"),
        ("sns:ListSubscriptionsByTopic", "ListSubscriptionsByTopic", "Messages    not read\n"),
        ("logs:FilterLogEvents", "FilterLogEvents", "Last error  not read\n"),
    ],
)
def test_unreadable_part_is_reported_in_its_place(
    action: str, operation: str, shown: str, aws: EmbeddedAws, operator: Operator
) -> None:
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ]
    printed = operator.run("status", status=0, **credentials(aws, statements))
    assert shown in printed.output
    assert f"Not read    You may not call {operation}.\n" in printed.output
    assert printed.output.endswith("\nAll that you may read is well.\n")


def credentials(aws: EmbeddedAws, statements: list[dict[str, str]]) -> dict[str, str]:
    """Return the environment of a user with these permissions."""
    iam, user = aws.client("iam"), "somebody"
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=user, PolicyName="rights", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


# --- Alarms, messages, errors ---


def test_alarm_is_reported_with_its_reason_and_what_to_do(stack: Stack, operator: Operator) -> None:
    alarm = stack.alarms()["JobsFailedteamb"]
    stack.aws.client("cloudwatch").put_metric_data(
        Namespace="FineTuning",
        MetricData=[{"MetricName": "JobsFailed", "Dimensions": alarm["Dimensions"], "Value": 1, "Unit": "Count"}],
    )
    until(lambda: stack.alarms()["JobsFailedteamb"]["StateValue"] == "ALARM")
    try:
        printed = operator.run("status", status=1, COLUMNS="300").output
    finally:
        stack.aws.advance(1800)  # the metric has returned to 0
        until(lambda: stack.alarms()["JobsFailedteamb"]["StateValue"] == "OK")
    assert 80 < max(map(len, printed.splitlines())) <= 100  # longer lines are hard to read
    output = unwrapped(printed)
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    assert re.search(rf"{alarm['AlarmName']} has been in ALARM since {since} \(Maximum of JobsFailed", output)
    assert unwrapped(alarm["AlarmDescription"]) in output


def test_alarm_with_disabled_actions_is_reported(stack: Stack, status: Callable[[], Printed]) -> None:
    cloudwatch, name = stack.aws.client("cloudwatch"), stack.alarms()["JobStuckalpha"]["AlarmName"]
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    try:
        output = status().output
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=[name])
    assert f"    aws cloudwatch enable-alarm-actions --region us-east-1 --alarm-names '{name}'\n" in output


def test_unconfirmed_subscription_is_reported(stack: Stack, status: Callable[[], Printed]) -> None:
    sns, topic = stack.aws.client("sns"), stack.outputs["Topic"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="new@example.com")
    output = status().output
    sns.confirm_subscription(TopicArn=topic, Token="new@example.com")
    assert "new@example.com has not confirmed and gets no message:" in unwrapped(output)
    assert f"--topic-arn {topic} --protocol email --notification-endpoint new@example.com\n" in output


def test_error_is_reported_until_a_run_succeeds(
    stack: Stack, own_api: SimulatedApi, operator: Operator, status: Callable[[], Printed]
) -> None:
    own_api.key, key = "sk-another-0123456789", own_api.key
    operator.run("invoke", "SOURCE=team-b", status=1)
    failed = status().output
    own_api.key = key
    stack.invoke(source="team-b")
    recovered = operator.run("status", status=1).output  # SnapshotErrors returns to OK later
    assert "- A run of team-b failed just now, and none has succeeded since.\n" in failed
    assert "    make logs LEVEL=ERROR STACK=observed\n" in failed
    assert re.search(r"^Last error +just now, team-b: ", recovered, re.MULTILINE)
    assert "A run of team-b failed" not in recovered


def test_last_error_is_shown_for_a_day(stack: Stack, operator: Operator) -> None:
    logs, at = stack.aws.client("logs"), {"logGroupName": stack.outputs["LogGroup"], "logStreamName": "yesterday"}
    logs.create_log_stream(**at)
    for hours, message in ((25, "too old"), (23, "Wrong.")):
        time = int((datetime.now(UTC) - timedelta(hours=hours)).timestamp() * 1000)
        line = {"level": "ERROR", "message": message, "source": f"since {hours}"}
        logs.put_log_events(**at, logEvents=[{"timestamp": time, "message": json.dumps(line)}])
    output = operator.run("status", status=1).output
    assert "A run of since 23 failed 23 hours ago, and none has succeeded since." in unwrapped(output)
    assert "too old" not in output
    assert "since 25" not in output


def until(condition: Callable[[], bool]) -> None:
    """Wait for the embedded AWS, which evaluates its alarms twice a second."""
    while not condition():
        time.sleep(0.1)
