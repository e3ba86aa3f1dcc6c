"""What talks to AWS: its clients, made once, and how they wait. It knows no HTTP library but botocore's."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

# botocore waits 60 s for each response by default, five times over: that alone could use up an invocation.
_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def s3_client() -> "S3Client":
    """The client of S3."""
    return boto3.client("s3", config=_CONFIG)


@cache
def secrets_client() -> "SecretsManagerClient":
    """The client of Secrets Manager."""
    return boto3.client("secretsmanager", config=_CONFIG)


@cache
def events_client() -> "EventBridgeClient":
    """The client of EventBridge."""
    return boto3.client("events", config=_CONFIG)
