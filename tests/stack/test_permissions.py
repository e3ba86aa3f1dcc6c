"""Every statement of the roles has an effect that is seen when it is taken away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import InvocationError, Stack

# What a run without the statement says; or, where the embedded AWS does not enforce it, who says that AWS does.
EFFECTS = {
    "ReadSecrets": "The secret permissions/ReadSecrets cannot be read: .*secretsmanager:GetSecretValue",
    "ReadLatest": r"latest/ReadLatest\.tsv: .*AccessDenied.*GetObject",
    "WriteSnapshots": r"snapshots/source=WriteSnapshots/.*AccessDenied.*PutObject",
    "TellChanges": "EventBridge refuses the changes: .*AccessDenied.*PutEvents",
    "WriteLogs": "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
    "TellMissingFromForbidden": "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
    "InvokeTheFunction": "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html",
}


@pytest.fixture(scope="module")
def own_api() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "permissions", {"ScheduleState": "DISABLED"})
    for source in EFFECTS:  # one for each test: a secret that was read once is remembered for a while
        stack.put_secret(source, json.dumps({"api_key": own_api.key, "base_url": own_api.base_url}))
    return stack


def policies(stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Role, name and document of every policy in the stack."""
    iam = stack.aws.client("iam")
    for role in stack.physical_ids("AWS::IAM::Role").values():
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            yield role, name, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]


def test_every_statement_is_in_the_table(stack: Stack) -> None:
    sids = [statement["Sid"] for _, _, document in policies(stack) for statement in document["Statement"]]
    assert sorted(sids) == sorted(EFFECTS)


@pytest.mark.parametrize("sid", [sid for sid, effect in EFFECTS.items() if not effect.startswith("https://")])
def test_without_the_statement_a_run_fails(sid: str, stack: Stack, own_api: SimulatedApi) -> None:
    if sid != "ReadSecrets":
        stack.invoke(source=sid)
    iam = stack.aws.client("iam")
    for role, name, document in policies(stack):
        kept = [statement for statement in document["Statement"] if statement["Sid"] != sid]
        if len(kept) == len(document["Statement"]):
            continue
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document | {"Statement": kept}))
        try:
            own_api.jobs = own_api.jobs[1:]  # something to tell
            with pytest.raises(InvocationError, match=EFFECTS[sid]):
                stack.invoke(source=sid)
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    stack.invoke(source=sid)
