"""The roles' permissions: without any one statement something fails, and all other calls are refused."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import InvocationError, Stack

# The error of a run without the statement; or, if the embedded AWS does not enforce it, a source that AWS does.
EFFECTS = {
    "ReadSecrets": "The secret permissions/ReadSecrets cannot be read: .*secretsmanager:GetSecretValue",
    "ReadLatest": r"latest/ReadLatest\.tsv: .*AccessDenied.*GetObject",
    "WriteSnapshots": r"snapshots/source=WriteSnapshots/.*AccessDenied.*PutObject",
    "SendChanges": "The changes cannot be sent: .*AccessDenied.*PutEvents",
    "WriteLogs": "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
    "TellMissingFromForbidden": "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
    "InvokeFunction": "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html",
}


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "permissions", {"ScheduleState": "DISABLED"})
    for source in EFFECTS:  # one for each test, because AWS caches a secret for a while
        stack.put_secret(source, own_api.secret)
    return stack


def policies(stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return role, name and document of every policy in the stack."""
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
            own_api.jobs = own_api.jobs[1:]  # a change to report
            with pytest.raises(InvocationError, match=EFFECTS[sid]):
                stack.invoke(source=sid)
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    stack.invoke(source=sid)


def test_no_statement_is_for_all_resources_or_all_actions(stack: Stack) -> None:
    # The embedded AWS does not check the log group, so no refused call shows this for WriteLogs.
    for _, _, document in policies(stack):
        for statement in document["Statement"]:
            given = [statement[name] for name in ("Resource", "Action")]
            values = [value for each in given for value in (each if isinstance(each, list) else [each])]
            assert not [value for value in values if value == "*" or value.endswith(":*:*")], statement["Sid"]
            assert statement["Effect"] == "Allow"


# --- The calls that the function's role may make, and those that are refused ---


class Role:
    """Clients with the policies of the function's role, and the names that its calls need."""

    def __init__(self, stack: Stack) -> None:
        self._aws = stack.aws
        self.bucket = stack.outputs["SnapshotBucket"]
        self.prefix = stack.outputs["SecretPrefix"]
        self.topic = stack.outputs["Topic"]
        iam, user = stack.aws.client("iam"), "with-the-policies-of-the-function"
        iam.create_user(UserName=user)
        for role, name, document in policies(stack):
            if "FunctionRole" in role:
                iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=user)["AccessKey"]
        self._credentials = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
        stack.aws.client("s3").create_bucket(Bucket="of-somebody-else")
        stack.aws.client("s3").put_object(Bucket=self.bucket, Key="latest/b", Body=b"x")
        stack.aws.client("events").create_event_bus(Name="of-somebody-else")
        stack.put_secret("mine", "sk-mine")
        stack.aws.put_secret("of-somebody-else", "sk-theirs")

    def client(self, service: str) -> Any:
        return self._aws.client(service, **self._credentials)

    def put_event(self, bus: str, source: str = "fine-tuning.snapshots") -> None:
        entry = {"Source": source, "DetailType": "x", "Detail": "{}", "EventBusName": bus}
        self.client("events").put_events(Entries=[entry])


@pytest.fixture(scope="module")
def role(stack: Stack) -> Role:
    return Role(stack)


Call = Callable[[Role], object]
ALLOWED: dict[str, Call] = {
    "its secrets": lambda role: role.client("secretsmanager").get_secret_value(SecretId=f"{role.prefix}mine"),
    "a dated snapshot": lambda role: role.client("s3").put_object(Bucket=role.bucket, Key="snapshots/a", Body=b"x"),
    "latest": lambda role: role.client("s3").put_object(Bucket=role.bucket, Key="latest/a", Body=b"x"),
    "the previous table": lambda role: role.client("s3").get_object(Bucket=role.bucket, Key="latest/b"),
    "whether latest exists": lambda role: role.client("s3").list_objects_v2(Bucket=role.bucket),
    "its events": lambda role: role.put_event("default"),
}
REFUSED: dict[str, Call] = {
    "another secret": lambda role: role.client("secretsmanager").get_secret_value(SecretId="of-somebody-else"),
    "writing a secret": lambda role: role.client("secretsmanager").put_secret_value(
        SecretId=f"{role.prefix}mine", SecretString="x"
    ),
    "listing secrets": lambda role: role.client("secretsmanager").list_secrets(),
    "writing to another bucket": lambda role: role.client("s3").put_object(
        Bucket="of-somebody-else", Key="latest/a", Body=b"x"
    ),
    "listing another bucket": lambda role: role.client("s3").list_objects_v2(Bucket="of-somebody-else"),
    "listing all buckets": lambda role: role.client("s3").list_buckets(),
    "writing under another prefix": lambda role: role.client("s3").put_object(
        Bucket=role.bucket, Key="other/a", Body=b"x"
    ),
    "reading a dated snapshot": lambda role: role.client("s3").get_object(Bucket=role.bucket, Key="snapshots/a"),
    "deleting a dated snapshot": lambda role: role.client("s3").delete_object(Bucket=role.bucket, Key="snapshots/a"),
    "deleting latest": lambda role: role.client("s3").delete_object(Bucket=role.bucket, Key="latest/a"),
    "removing the bucket's policy": lambda role: role.client("s3").delete_bucket_policy(Bucket=role.bucket),
    "another bus": lambda role: role.put_event("of-somebody-else"),
    "events of another source": lambda role: role.put_event("default", "aws-imitator"),
    "messages": lambda role: role.client("sns").publish(TopicArn=role.topic, Message="x"),
    "invoking functions": lambda role: role.client("lambda").list_functions(),
}


def refusal(role: Role, call: Call) -> str | None:
    """Return AWS's error code; None if the call succeeds."""
    try:
        call(role)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


@pytest.mark.parametrize("what", ALLOWED)
def test_policy_allows_what_a_run_needs(what: str, role: Role) -> None:
    assert refusal(role, ALLOWED[what]) is None


@pytest.mark.parametrize("what", REFUSED)
def test_policy_refuses_everything_else(what: str, role: Role) -> None:
    assert refusal(role, REFUSED[what]) in {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


# --- Calls that the bucket refuses to all ---


def test_the_bucket_refuses_plain_http(role: Role) -> None:
    s3 = role.client("s3")
    assert s3.get_object(Bucket=role.bucket, Key="latest/b")

    def send(request: AWSPreparedRequest, **_: Any) -> None:
        """Mark a request as plain HTTP for the embedded AWS, which listens on TLS only."""
        request.headers["X-Forwarded-Proto"] = "http"

    s3.meta.events.register("before-send.s3", send)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=role.bucket, Key="latest/b")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=role.bucket, Key="latest/b", Body=b"x")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket=role.bucket)
    finally:
        s3.meta.events.unregister("before-send.s3", send)


def test_bucket_blocks_public_access(stack: Stack) -> None:
    bucket, s3 = stack.outputs["SnapshotBucket"], stack.aws.client("s3")
    s3.put_object(Bucket=bucket, Key="latest/b", Body=b"x")
    url = f"{stack.aws.endpoint}/{bucket}/latest/b"
    assert requests.get(url, verify=str(stack.aws.certificate), timeout=10).status_code == 403
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}  # without ACLs
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    opened = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [opened]}))
