"""The template as CloudFormation gets it, and settings that no run depends on."""

import json
import math
import re
from typing import Any

import pytest
import yaml

from tests.documents import TEMPLATE
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import BUILT_TEMPLATE, Stack


def test_the_built_template_has_no_aliases() -> None:
    # CloudFormation knows neither aliases nor merges:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    tokens = list(yaml.scan(BUILT_TEMPLATE.read_text()))
    assert not any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in tokens)
    assert "<<" not in [token.value for token in tokens if isinstance(token, yaml.ScalarToken)]


# --- Parameters ---

GOOD = {
    "Sources": ("default", "Team-b_2", "a" * 64),
    "SecretPrefix": ("fine-tuning/", "a+b=c@d.e"),
    "OpenAIBaseUrl": ("https://example.com:8443/v1", "http://localhost", "http://127.0.0.1:8080/v1"),
    "ScheduleExpression": ("rate(1 hour)", "cron(0 6 ? * MON-FRI *)"),
    "ScheduleState": ("ENABLED", "DISABLED"),
    "SnapshotRetentionDays": ("0", "1", "3650"),
    "KmsKeyArn": ("", "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
    "NotificationEmail": ("", "ops@example.com"),
    "NotifyStatuses": ("", "validating_files"),
    "SnapshotMissingHours": ("1", "168"),
    "JobStuckSeconds": ("60", "8640000"),
    "ShutdownNearDays": ("0", "365"),
}
BAD = {
    "Sources": ("", "-a", "a/b", "a b", "a" * 65),
    "SecretPrefix": ("", "a b", "a:b", "*", "a" * 201),
    "OpenAIBaseUrl": (
        "",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost:x",
        "https://a b",
        "http://127-0-0-1",
    ),
    "ScheduleExpression": ("", "1 hour", "rate()", "at(2026-01-31T12:00:00)", " rate(1 hour)"),
    "ScheduleState": ("", "enabled", "OFF"),
    "SnapshotRetentionDays": ("", "-1", "ten"),
    "KmsKeyArn": ("alias/mine", "arn:aws:kms:eu-west-1:123456789012:alias/mine", "arn:aws:kms:eu-west-1:1:key/a"),
    "NotificationEmail": ("ops", "@example.com", "ops@", "a b@example.com", "a@b@c"),
    "NotifyStatuses": ("Failed", "failed cancelled", "failed;cancelled"),
    # An alarm looks back seven days at most, in hours:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    "SnapshotMissingHours": ("0", "169"),
    "JobStuckSeconds": ("59", "-60"),
    "ShutdownNearDays": ("-1", "soon"),
}


def test_each_parameter_has_samples() -> None:
    assert GOOD.keys() == BAD.keys() == TEMPLATE["Parameters"].keys()


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [(name, value, samples is GOOD) for samples in (GOOD, BAD) for name in samples for value in samples[name]],
)
def test_a_parameter_that_would_fail_later_is_refused(name: str, value: str, fits: bool) -> None:
    # A pattern has to match the whole value:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    parameter = TEMPLATE["Parameters"][name]
    if parameter["Type"] == "Number":
        lowest, highest = parameter["MinValue"], parameter.get("MaxValue", math.inf)
        accepted = bool(re.fullmatch("-?[0-9]+", value)) and lowest <= int(value) <= highest
    elif "AllowedValues" in parameter:
        accepted = value in parameter["AllowedValues"]
    else:
        accepted = bool(re.fullmatch(parameter["AllowedPattern"], value))
    assert accepted == fits


# --- Retention ---

OLD_VERSIONS = ("", {"NoncurrentDays": 30}, None)
QUERY_RESULTS = ("athena/", {"NoncurrentDays": 1}, 7)


def expiry(stack: Stack) -> list[tuple[str, Any, int | None]]:
    """Return prefix, expiry of old versions, and expiry in days of each rule of a bucket."""
    rules = stack.lifecycle().values()
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    return [
        (
            rule.get("Prefix") or rule.get("Filter", {}).get("Prefix", ""),
            rule.get("NoncurrentVersionExpiration"),
            rule.get("Expiration", {}).get("Days"),
        )
        for rule in rules
    ]


def test_snapshots_are_kept_forever_by_default(stack: Stack) -> None:
    assert expiry(stack) == [OLD_VERSIONS, QUERY_RESULTS]


def test_only_dated_snapshots_expire_if_asked_for(aws: EmbeddedAws) -> None:
    stack = Stack(aws, "expiring", {"SnapshotRetentionDays": "400", "ScheduleState": "DISABLED"})
    assert expiry(stack) == [OLD_VERSIONS, ("snapshots/", None, 400), QUERY_RESULTS]


def test_parts_of_an_unfinished_upload_are_deleted(stack: Stack) -> None:
    assert stack.lifecycle()["old-versions"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_old_versions_are_kept(stack: Stack) -> None:
    versioning = stack.aws.client("s3").get_bucket_versioning(Bucket=stack.outputs["SnapshotBucket"])
    assert versioning["Status"] == "Enabled"


@pytest.mark.parametrize("name", ["SnapshotBucket", "SnapshotBucketPolicy"])
def test_bucket_and_its_policy_outlive_the_stack_and_a_replacement(name: str) -> None:
    resource = TEMPLATE["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_query_history_does_not_keep_the_stack_from_being_deleted() -> None:
    # AWS refuses to delete a workgroup that is not empty:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteWorkGroup.html
    assert TEMPLATE["Resources"]["Workgroup"]["Properties"]["RecursiveDeleteOption"] is True


def test_logs_are_kept_for_90_days(stack: Stack) -> None:
    (group,) = stack.aws.client("logs").describe_log_groups(logGroupNamePrefix=stack.outputs["LogGroup"])["logGroups"]
    assert group["retentionInDays"] == 90


# --- Conditions in policies that the embedded AWS does not enforce ---


@pytest.mark.parametrize("topic", ["Topic", "ChatTopic"])
def test_a_topic_takes_messages_over_tls_and_alarms_of_its_account_only(topic: str, stack: Stack) -> None:
    attributes = stack.aws.client("sns").get_topic_attributes(TopicArn=stack.outputs[topic])["Attributes"]
    conditions = {
        statement["Sid"]: (statement["Effect"], statement["Principal"], statement.get("Condition"))
        for statement in json.loads(attributes["Policy"])["Statement"]
        if statement["Action"] == "sns:Publish"
    }
    account = stack.outputs[topic].split(":")[4]
    tls = {"Bool": {"aws:SecureTransport": False}}
    assert conditions == {
        "Alarms": (
            "Allow",
            {"Service": "cloudwatch.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": account}},
        ),
        "Rules": ("Allow", {"Service": "events.amazonaws.com"}, None),
        "TlsOnly": ("Deny", "*", tls),
    }


def test_only_the_stack_s_schedules_may_use_their_role(stack: Stack) -> None:
    name = stack.physical_ids("AWS::IAM::Role")["ScheduleRole"]
    role = stack.aws.client("iam").get_role(RoleName=name)["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    account = role["Arn"].split(":")[4]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = f"schedule-group/{stack.outputs['ScheduleGroup']}"
    condition = statement["Condition"]["StringEquals"]
    assert condition == {
        "aws:SourceAccount": account,
        "aws:SourceArn": f"arn:aws:scheduler:us-east-1:{account}:{group}",
    }


# --- Starting and retrying runs ---


def test_a_run_has_the_longest_time_and_is_repeated_twice_within_an_hour(stack: Stack) -> None:
    client = stack.aws.client("lambda")
    assert client.get_function_configuration(FunctionName=stack.outputs["SnapshotFunction"])["Timeout"] == 900
    # The embedded AWS does not support this configuration.
    repeated = TEMPLATE["Resources"]["SnapshotFunction"]["Properties"]["EventInvokeConfig"]
    assert repeated == {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}


def test_no_log_level_of_lambda_drops_the_metrics(stack: Stack) -> None:
    # With ApplicationLogLevel, Lambda drops lines without a level, such as metrics:
    # https://docs.aws.amazon.com/powertools/python/latest/core/logger/#aws-lambda-advanced-logging-controls-alc
    client = stack.aws.client("lambda")
    logging = client.get_function_configuration(FunctionName=stack.outputs["SnapshotFunction"])["LoggingConfig"]
    assert logging == {"LogFormat": "JSON", "LogGroup": stack.outputs["LogGroup"]}


def test_the_full_listing_is_at_a_minute_of_its_own(stack: Stack) -> None:
    daily = {
        found["ScheduleExpression"] for found in stack.schedules() if "full" in json.loads(found["Target"]["Input"])
    }
    assert daily == {"cron(7 3 * * ? *)"}
    assert "03:07" in TEMPLATE["Parameters"]["ScheduleExpression"]["Description"]


# --- Messages and queries ---


def test_each_rule_takes_the_events_of_its_own_stack_only(stack: Stack) -> None:
    events, function = stack.aws.client("events"), stack.outputs["SnapshotFunction"]
    arn = stack.aws.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    rules = stack.physical_ids("AWS::Events::Rule")
    assert len(rules) == 4
    for name in rules.values():
        pattern = json.loads(events.describe_rule(Name=name.rpartition("|")[2])["EventPattern"])
        assert (pattern["source"], pattern["resources"]) == (["fine-tuning.snapshots"], [arn]), name


def test_each_query_of_dated_snapshots_is_bounded_by_its_partition() -> None:
    """Without a bound it would read all snapshots ever written, and cost accordingly."""
    queries = [query["Sql"] for query in TEMPLATE["Mappings"]["SavedQueries"].values()]
    dated = [sql for sql in queries if "FROM snapshots" in sql]
    assert dated
    assert all(re.search(r"(WHERE|AND) dt >= date_format\(current_date - interval '30' day", sql) for sql in dated)
