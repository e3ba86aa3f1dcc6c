"""Deployments, questions and errors of the operator's commands, without an AWS."""

import ast
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import boto3
import operations
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from operations import changes, errors, invoke, status, terminal
from operations.errors import OperationError

from tests.documents import TEMPLATE

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
        event("Policy", "UPDATE_FAILED", "Resource update cancelled"),  # cancelled at the same time
        event("Rule", "UPDATE_IN_PROGRESS"),
        event("snapshots", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Bucket", "CREATE_FAILED", "of an earlier operation"),
        event("snapshots", "CREATE_IN_PROGRESS", "User Initiated"),
    ]
    assert changes.first_failure(newest_first) == "Rule: the first one"
    assert changes.first_failure(newest_first[7:]) == "the stack's events give no reason"


def test_removals_and_certain_replacements_are_losses() -> None:
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
    assert with_pages == {"describe_stacks"}  # called for one stack


def _has_pages(client: Any, call: str) -> bool:
    return call in client.meta.method_to_api_mapping and bool(client.can_paginate(call))


def test_only_a_denied_call_is_not_an_error() -> None:
    def call(code: str) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "DescribeAlarms")

    assert status._unless_denied(call, "AccessDenied") == status.Denied("DescribeAlarms")
    with pytest.raises(ClientError):
        status._unless_denied(call, "Throttling")


def test_invoke_waits_longer_than_the_function_s_time_out() -> None:
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
def test_expired_credentials_are_reported_as_such(code: str) -> None:
    explained = errors.explain(ClientError({"Error": {"Code": code, "Message": "expired"}}, "DescribeStacks"))
    assert explained.startswith("AWS refuses the credentials (expired). Set them with `aws configure`, ")


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
    assert str(exited.value.code).startswith(message)  # Python prints a text on standard error, with status 1
