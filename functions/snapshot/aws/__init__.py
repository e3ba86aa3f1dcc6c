"""Access to AWS: cached clients with short time-outs, and errors that name the call. Nothing here uses the API."""

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

# By default botocore makes five attempts and waits 60 s in each of them: one call could use up the whole invocation.
_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

_MAX_CAUSE = 1000  # characters of an error's text: a proxy may respond with a whole HTML page


@contextmanager
def naming(call: str, error_class: type[SnapshotError] = SnapshotError) -> Iterator[None]:
    """Turn any error of an AWS call, or of reading its response, into an error that names the call.

    It catches every Exception: on a malformed response botocore raises ResponseParserError, which is not a
    BotoCoreError, or a bare AttributeError or ValueError.
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
    """Return the S3 client."""
    return boto3.client("s3", config=_CONFIG)


@cache
def secrets_client() -> "SecretsManagerClient":
    """Return the Secrets Manager client."""
    return boto3.client("secretsmanager", config=_CONFIG)


@cache
def events_client() -> "EventBridgeClient":
    """Return the EventBridge client."""
    return boto3.client("events", config=_CONFIG)
