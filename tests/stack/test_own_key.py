"""With the operator's own KMS key, bucket, topics and logs are encrypted with it, and runs succeed."""

import re
from typing import Any

import pytest

from tests.documents import OPERATIONS, examples, run, section
from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import REGION, EmbeddedAws
from tests.sandbox.stack import Stack

ACCOUNT = "000000000000"
SECTION = section("Your own KMS key", OPERATIONS)


@pytest.fixture(scope="module")
def key(aws: EmbeddedAws) -> str:
    """The ARN of a key with the documented policy."""
    (policy,) = examples(SECTION, "json")
    text = policy.replace("REGION", REGION).replace("ACCOUNT", ACCOUNT)
    arn = aws.client("kms").create_key(Policy=text)["KeyMetadata"]["Arn"]
    assert isinstance(arn, str)
    return arn


@pytest.fixture(scope="module")
def encrypted(aws: EmbeddedAws, key: str) -> Stack:
    return Stack(aws, "encrypted", {"ScheduleState": "DISABLED", "KmsKeyArn": key})


def test_everything_is_encrypted_with_the_key(encrypted: Stack, key: str) -> None:
    aws = encrypted.aws
    (rule,) = aws.client("s3").get_bucket_encryption(Bucket=encrypted.outputs["SnapshotBucket"])[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert rule["BucketKeyEnabled"]
    attributes = aws.client("sns").get_topic_attributes(TopicArn=encrypted.outputs["Topic"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == key
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=encrypted.outputs["LogGroup"])["logGroups"]
    assert [group["kmsKeyId"] for group in groups] == [key]
    workgroup = aws.client("athena").get_work_group(WorkGroup=encrypted.outputs["Workgroup"])["WorkGroup"]
    results = workgroup["Configuration"]["ResultConfiguration"]
    assert results["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": key}


def test_the_function_may_use_this_key_only_and_only_by_s3_and_secrets_manager(encrypted: Stack, key: str) -> None:
    (statement,) = (entry for entry in function_policy(encrypted)["Statement"] if entry["Sid"] == "UseOwnKey")
    assert statement["Resource"] == key
    assert sorted(statement["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert statement["Condition"] == {
        "StringEquals": {
            "kms:ViaService": [f"s3.{REGION}.amazonaws.com", f"secretsmanager.{REGION}.amazonaws.com"],
        }
    }


def function_policy(stack: Stack) -> Any:
    iam = stack.aws.client("iam")
    role = stack.physical_ids("AWS::IAM::Role")["FunctionRole"]
    return iam.get_role_policy(RoleName=role, PolicyName="run")["PolicyDocument"]


def test_runs_and_messages_continue_with_the_own_key(encrypted: Stack, key: str, own_api: SimulatedApi) -> None:
    encrypted.put_secret("default", own_api.secret)
    (command,) = re.findall(r"`(aws secretsmanager update-secret .+?)`", SECTION)
    run(encrypted.aws, *command.replace("fine-tuning/", "encrypted/").replace("KEY", key).split())
    inbox = queues.of_topic(encrypted.aws, encrypted.outputs["Topic"])
    assert encrypted.invoke()["job_count"] == 250
    own_api.announced = {"gpt-4.1-nano-2025-04-14": "2031-01-14"}
    snapshot = encrypted.invoke()["key"]
    assert encrypted.objects()[snapshot] == encrypted.objects()["latest/default.tsv"]
    assert any("Shutdown of the model" in message["Message"] for message in inbox.receive())


def test_key_can_be_changed_later(encrypted: Stack, own_api: SimulatedApi) -> None:
    encrypted.put_secret("default", own_api.secret)
    encrypted.invoke()
    s3, bucket = encrypted.aws.client("s3"), encrypted.outputs["SnapshotBucket"]
    before = s3.head_object(Bucket=bucket, Key="latest/default.tsv")
    other = encrypted.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    encrypted.update(KmsKeyArn=other)
    (command,) = examples(SECTION, "bash")
    run(encrypted.aws, "bash", "-c", command.replace("KEY", other), BUCKET=bucket)
    after = s3.head_object(Bucket=bucket, Key="latest/default.tsv")
    assert after["SSEKMSKeyId"] == other != before["SSEKMSKeyId"]
    assert after["Metadata"] == before["Metadata"]
    assert encrypted.invoke()["job_count"] == 250


def test_without_the_parameter_the_keys_are_those_of_aws(stack: Stack) -> None:
    (rule,) = stack.aws.client("s3").get_bucket_encryption(Bucket=stack.outputs["SnapshotBucket"])[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert "UseOwnKey" not in [statement["Sid"] for statement in function_policy(stack)["Statement"]]
