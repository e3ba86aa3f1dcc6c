"""The snapshots in S3; the only module that knows their keys."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from snapshot import aws, table
from snapshot.errors import SnapshotError
from snapshot.settings import Run
from snapshot.table import Line
from snapshot.telemetry import logger

_CONDITION_REFUSED = (404, 409, 412)  # of a conditional PutObject: gone, at the same time, changed
_NEVER = datetime.min.replace(tzinfo=UTC)


class Latest(NamedTuple):
    """The previous snapshot: ETag, its run's time (long ago if it does not say), fingerprint of the account, and lines.

    `can_be_compared`: there is a table. `can_be_carried`: it has these columns, so that lines can be taken as they are.
    """

    etag: str
    time: datetime
    fingerprint: str = ""
    lines: Sequence[Line] = ()
    can_be_compared: bool = False
    can_be_carried: bool = False


NO_SNAPSHOT = Latest(etag="", time=_NEVER)


class Snapshot(NamedTuple):
    """What a run writes, twice: its table as lines and as bytes, seen with the key and account of `fingerprint`."""

    run: Run
    lines: list[Line]
    fingerprint: str
    body: bytes


def read_latest(bucket: str, source: str) -> Latest:
    """The newest snapshot of a source; NO_SNAPSHOT if there is none yet, no lines if they cannot be read."""
    key = _latest_key(source)
    with _naming_the_object(bucket, key):
        try:
            response = aws.s3_client().get_object(Bucket=bucket, Key=key)
        except aws.s3_client().exceptions.NoSuchKey:
            return NO_SNAPSHOT
        body = response["Body"].read()
    metadata = response["Metadata"]
    latest = Latest(response["ETag"], _snapshot_time(metadata), metadata.get("view", ""))
    try:
        lines = table.from_body(body)
    except ValueError as error:
        logger.warning("The previous snapshot cannot be read; starting afresh", extra={"key": key, "cause": str(error)})
        return latest
    return latest._replace(lines=lines, can_be_compared=True, can_be_carried=body.startswith(table.HEADER + b"\n"))


def is_unchanged(bucket: str, source: str, previous: Latest) -> bool:
    """Whether the newest snapshot is still the one that was read."""
    key = _latest_key(source)
    with _naming_the_object(bucket, key):  # compared with its time: of the same bytes the ETag is the same
        return _head(bucket, key) == (previous.etag, previous.time)


def write_dated(bucket: str, snapshot: Snapshot) -> str:
    """Write the snapshot under its run's time; returns the key."""
    run = snapshot.run
    key = f"snapshots/source={run.source}/dt={run.time:%Y-%m-%d}/{run.time:%Y%m%dT%H%M%SZ}.tsv"
    with _naming_the_object(bucket, key):
        _put(bucket, key, snapshot)
    return key


def write_latest(bucket: str, snapshot: Snapshot, previous: Latest) -> bool:
    """Replace the newest snapshot, which was `previous`; False if another run has done so."""
    key = _latest_key(snapshot.run.source)
    condition = {"IfMatch": previous.etag} if previous.etag else {"IfNoneMatch": "*"}
    with _naming_the_object(bucket, key):
        try:
            _put(bucket, key, snapshot, **condition)
        except ClientError as error:
            if _http_status(error) not in _CONDITION_REFUSED:
                raise
            # Of our own time: it is what we wrote ourselves, and the response was lost on the way.
            return _head(bucket, key)[1] == snapshot.run.time
    return True


def _latest_key(source: str) -> str:
    return f"latest/{source}.tsv"


def _put(bucket: str, key: str, snapshot: Snapshot, **condition: str) -> None:
    aws.s3_client().put_object(
        Bucket=bucket,
        Key=key,
        Body=snapshot.body,
        ContentType="text/tab-separated-values; charset=utf-8",
        ChecksumAlgorithm="SHA256",
        Metadata={
            "snapshot-time": snapshot.run.timestamp,
            "job-count": str(len(snapshot.lines)),
            "view": snapshot.fingerprint,
        },
        **condition,  # type: ignore[arg-type]  # IfMatch and IfNoneMatch are strings
    )


def _head(bucket: str, key: str) -> tuple[str, datetime]:
    """ETag and snapshot's time of an object; those of NO_SNAPSHOT if there is none."""
    try:
        response = aws.s3_client().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _http_status(error) == 404:
            return NO_SNAPSHOT.etag, NO_SNAPSHOT.time
        raise
    return response["ETag"], _snapshot_time(response["Metadata"])


def _snapshot_time(metadata: dict[str, str]) -> datetime:
    try:
        time = datetime.fromisoformat(metadata["snapshot-time"])
    except (KeyError, ValueError):
        return _NEVER
    return time if time.tzinfo else _NEVER


def _http_status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def _naming_the_object(bucket: str, key: str) -> Iterator[None]:
    """Name the object in S3's refusals, which do not."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SnapshotError(f"s3://{bucket}/{key}: {error}") from error
