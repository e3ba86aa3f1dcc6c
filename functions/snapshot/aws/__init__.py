"""What talks to AWS: its clients, made once, and how they wait. It knows no HTTP library but botocore's."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from snapshot.errors import SnapshotError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

# botocore waits 60 s for each response by default, five times over: that alone could use up an invocation.
_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

_MAX_CAUSE = 1000  # characters of an error's text: instead of AWS a proxy may send a page of HTML


@contextmanager
def naming(call: str, error_class: type[SnapshotError] = SnapshotError) -> Iterator[None]:
    """Raise whatever goes wrong in a call of AWS, or in reading its response, as an error that says which call it was.

    Any Exception: of an odd response botocore's parsers raise ResponseParserError, which is no BotoCoreError, or bare
    AttributeErrors and ValueErrors.
    """
    try:
        yield
    except SnapshotError:
        raise
    except (BotoCoreError, ClientError) as error:
        raise error_class(f"{call}: {str(error)[:_MAX_CAUSE]}") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"[:_MAX_CAUSE]
        raise error_class(f"{call}: the response cannot be used ({cause})") from error


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
