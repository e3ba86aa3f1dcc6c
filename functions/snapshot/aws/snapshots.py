"""The snapshots in S3; the only module that knows their keys."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from snapshot import aws, table
from snapshot.settings import Run
from snapshot.table import Line
from snapshot.telemetry import logger

_CONDITION_REFUSED = (404, 409, 412)  # of a conditional PutObject: gone, at the same time, changed
_CHUNK = 1 << 20  # bytes
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
    """What a run writes, twice: its table, seen with the key and account of `fingerprint`."""

    run: Run
    lines: list[Line]
    fingerprint: str


def read_latest(bucket: str, source: str) -> Latest:
    """The newest snapshot of a source; NO_SNAPSHOT if there is none yet, no lines if they cannot be read."""
    key = _latest_key(source)
    with aws.naming(f"GetObject of s3://{bucket}/{key}"):
        try:
            response = aws.s3_client().get_object(Bucket=bucket, Key=key)
        except aws.s3_client().exceptions.NoSuchKey:
            return NO_SNAPSHOT
        # Line by line, so that a long table is not held twice. (The stub of the body lacks readinto.)
        with io.BufferedReader(response["Body"], _CHUNK) as file:  # type: ignore[type-var]
            metadata = response["Metadata"]
            latest = Latest(_etag(response), _snapshot_time(metadata), metadata.get("view", ""))
            try:
                lines, has_these_columns = table.from_file(file)
            except ValueError as error:
                logger.warning(
                    "The previous snapshot cannot be read; starting afresh", extra={"key": key, "cause": str(error)}
                )
                return latest
    return latest._replace(lines=lines, can_be_compared=True, can_be_carried=has_these_columns)


def is_unchanged(bucket: str, source: str, previous: Latest) -> bool:
    """Whether the newest snapshot is still the one that was read."""
    # Compared with its time: of the same bytes the ETag is the same.
    return _head(bucket, _latest_key(source)) == (previous.etag, previous.time)


def write_dated(bucket: str, snapshot: Snapshot) -> str:
    """Write the snapshot under its run's time; returns the key."""
    run = snapshot.run
    key = f"snapshots/source={run.source}/dt={run.time:%Y-%m-%d}/{run.time:%Y%m%dT%H%M%SZ}.tsv"
    with aws.naming(f"PutObject of s3://{bucket}/{key}"):
        _put(bucket, key, snapshot)
    return key


def write_latest(bucket: str, snapshot: Snapshot, previous: Latest) -> bool:
    """Replace the newest snapshot, which was `previous`; False if another run has done so."""
    key = _latest_key(snapshot.run.source)
    condition = {"IfMatch": previous.etag} if previous.etag else {"IfNoneMatch": "*"}
    with aws.naming(f"PutObject of s3://{bucket}/{key}"):
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
    with TemporaryFile() as body:  # not in memory, where a long table would be held twice
        body.writelines(table.to_file(snapshot.lines))
        body.seek(0)
        response = aws.s3_client().put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType="text/tab-separated-values; charset=utf-8",
            ChecksumAlgorithm="SHA256",
            Metadata={
                "snapshot-time": snapshot.run.timestamp,
                "job-count": str(len(snapshot.lines)),
                "view": snapshot.fingerprint,
            },
            **condition,  # type: ignore[arg-type]  # IfMatch and IfNoneMatch are strings
        )
    _etag(response)  # without one it was not S3 that said 200


def _head(bucket: str, key: str) -> tuple[str, datetime]:
    """ETag and snapshot's time of an object; those of NO_SNAPSHOT if there is none."""
    with aws.naming(f"HeadObject of s3://{bucket}/{key}"):
        try:
            response = aws.s3_client().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _http_status(error) == 404:
                return NO_SNAPSHOT.etag, NO_SNAPSHOT.time
            raise
        return _etag(response), _snapshot_time(response["Metadata"])


def _etag(response: Mapping[str, Any]) -> str:
    if not (etag := response.get("ETag")):
        raise ValueError("no ETag")
    return str(etag)


def _snapshot_time(metadata: dict[str, str]) -> datetime:
    try:
        time = datetime.fromisoformat(metadata["snapshot-time"])
    except (KeyError, ValueError):
        return _NEVER
    return time if time.tzinfo else _NEVER


def _http_status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
