"""The snapshots in S3; the only module that knows their keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from snapshot import table
from snapshot.aws import CONFIG
from snapshot.errors import SnapshotError
from snapshot.settings import Run
from snapshot.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONDITION_REFUSED = (404, 409, 412)  # of a conditional PutObject: gone, at the same time, changed


class Latest(NamedTuple):
    """The previous snapshot: ETag, its run's time (None if not told), view, and lines (None if unreadable).

    `can_be_carried`: it has these columns, so that lines can be taken from it as they are.
    """

    etag: str
    time: datetime | None
    view: str
    lines: list[bytes] | None
    can_be_carried: bool


class Snapshot(NamedTuple):
    """What a run writes, twice: its table as lines and as bytes, seen with the key and account of `view`."""

    run: Run
    lines: list[bytes]
    view: str
    body: bytes


def read_latest(bucket: str, source: str) -> Latest | None:
    """The newest snapshot of a source; None if there is none yet."""
    key = _latest_key(source)
    with _explained(bucket, key):
        try:
            answer = _s3().get_object(Bucket=bucket, Key=key)
        except _s3().exceptions.NoSuchKey:
            return None
        body = answer["Body"].read()
    try:
        lines = table.from_body(body)
    except ValueError as error:
        logger.warning("The previous snapshot cannot be read; starting afresh", extra={"key": key, "cause": str(error)})
        lines = None
    metadata = answer["Metadata"]
    can_be_carried = lines is not None and body.startswith(table.HEADER + b"\n")
    return Latest(answer["ETag"], _snapshot_time(metadata), metadata.get("view", ""), lines, can_be_carried)


def is_unchanged(bucket: str, source: str, previous: Latest | None) -> bool:
    """Whether the newest snapshot is still the one that was read."""
    key = _latest_key(source)
    with _explained(bucket, key):  # compared with its time: of the same bytes the ETag is the same
        return _head(bucket, key) == ((previous.etag, previous.time) if previous else (None, None))


def write_dated(bucket: str, snapshot: Snapshot) -> str:
    """Write the snapshot under its run's time; returns the key."""
    run = snapshot.run
    key = f"snapshots/source={run.source}/dt={run.time:%Y-%m-%d}/{run.time:%Y%m%dT%H%M%SZ}.tsv"
    with _explained(bucket, key):
        _put(bucket, key, snapshot)
    return key


def write_latest(bucket: str, snapshot: Snapshot, previous: Latest | None) -> bool:
    """Replace the newest snapshot, which was `previous` (None: there was none); False if another run has done so."""
    key = _latest_key(snapshot.run.source)
    condition = {"IfMatch": previous.etag} if previous else {"IfNoneMatch": "*"}
    with _explained(bucket, key):
        try:
            _put(bucket, key, snapshot, **condition)
        except ClientError as error:
            if _http_status(error) not in _CONDITION_REFUSED:
                raise
            # Of our own time: it is what we wrote ourselves, and the answer was lost on the way.
            return _head(bucket, key)[1] == snapshot.run.time
    return True


def _latest_key(source: str) -> str:
    return f"latest/{source}.tsv"


def _put(bucket: str, key: str, snapshot: Snapshot, **condition: str) -> None:
    _s3().put_object(
        Bucket=bucket,
        Key=key,
        Body=snapshot.body,
        ContentType="text/tab-separated-values; charset=utf-8",
        ChecksumAlgorithm="SHA256",
        Metadata={
            "snapshot-time": snapshot.run.timestamp,
            "job-count": str(len(snapshot.lines)),
            "view": snapshot.view,
        },
        **condition,  # type: ignore[arg-type]  # IfMatch and IfNoneMatch are strings
    )


def _head(bucket: str, key: str) -> tuple[str | None, datetime | None]:
    """ETag and snapshot's time of an object; twice None if there is none."""
    try:
        answer = _s3().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _http_status(error) == 404:
            return None, None
        raise
    return answer["ETag"], _snapshot_time(answer["Metadata"])


def _snapshot_time(metadata: dict[str, str]) -> datetime | None:
    try:
        time = datetime.fromisoformat(metadata["snapshot-time"])
    except (KeyError, ValueError):
        return None
    return time if time.tzinfo else None


def _http_status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def _explained(bucket: str, key: str) -> Iterator[None]:
    """Name the object in S3's refusals, which do not."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SnapshotError(f"s3://{bucket}/{key}: {error} The next run repeats what is missing.") from error


@cache
def _s3() -> "S3Client":
    return boto3.client("s3", config=CONFIG)
