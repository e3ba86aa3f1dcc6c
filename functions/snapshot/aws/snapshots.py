"""The snapshots in S3. Only this module knows their keys."""

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

_CONDITION_REFUSED = (404, 409, 412)  # a conditional PutObject found the object removed, being written, or changed
_CHUNK = 1 << 20  # bytes
_NEVER = datetime.min.replace(tzinfo=UTC)


class Latest(NamedTuple):
    """The previous snapshot: its ETag, time of its run (_NEVER if it has none), fingerprint of the account, and lines.

    `can_be_compared`: its table could be read. `can_be_carried`: it has this version's columns, so lines can be reused.
    """

    etag: str
    time: datetime
    fingerprint: str = ""
    lines: Sequence[Line] = ()
    can_be_compared: bool = False
    can_be_carried: bool = False


NO_SNAPSHOT = Latest(etag="", time=_NEVER)


class Snapshot(NamedTuple):
    """The table that a run writes, as dated snapshot and as `latest`; `fingerprint` identifies key and account."""

    run: Run
    lines: list[Line]
    fingerprint: str


def read_latest(bucket: str, source: str) -> Latest:
    """Return the newest snapshot of a source; NO_SNAPSHOT if there is none yet, no lines if the table is unreadable."""
    key = _latest_key(source)
    with aws.naming(f"GetObject of s3://{bucket}/{key}"):
        try:
            response = aws.s3_client().get_object(Bucket=bucket, Key=key)
        except aws.s3_client().exceptions.NoSuchKey:
            return NO_SNAPSHOT
        # Read line by line, so that a long table is not in memory twice. (The body's type stub lacks readinto.)
        with io.BufferedReader(response["Body"], _CHUNK) as file:  # type: ignore[type-var]
            metadata = response["Metadata"]
            latest = Latest(_etag(response), _snapshot_time(metadata), metadata.get("view", ""))
            try:
                lines, has_these_columns = table.from_file(file)
            except ValueError as error:
                logger.warning(
                    "The previous snapshot cannot be read; this run counts as the first",
                    extra={"key": key, "cause": str(error)},
                )
                return latest
    return latest._replace(lines=lines, can_be_compared=True, can_be_carried=has_these_columns)


def is_unchanged(bucket: str, source: str, previous: Latest) -> bool:
    """Return whether the newest snapshot is still the one that was read."""
    # Compare the time, too: equal bytes have an equal ETag.
    return _head(bucket, _latest_key(source)) == (previous.etag, previous.time)


def write_dated(bucket: str, snapshot: Snapshot) -> str:
    """Write the snapshot under the time of its run, and return the key."""
    run = snapshot.run
    key = f"snapshots/source={run.source}/dt={run.time:%Y-%m-%d}/{run.time:%Y%m%dT%H%M%SZ}.tsv"
    with aws.naming(f"PutObject of s3://{bucket}/{key}"):
        _put(bucket, key, snapshot)
    return key


def write_latest(bucket: str, snapshot: Snapshot, previous: Latest) -> bool:
    """Replace the newest snapshot, which was `previous`; return False if another run has replaced it."""
    key = _latest_key(snapshot.run.source)
    condition = {"IfMatch": previous.etag} if previous.etag else {"IfNoneMatch": "*"}
    with aws.naming(f"PutObject of s3://{bucket}/{key}"):
        try:
            _put(bucket, key, snapshot, **condition)
        except ClientError as error:
            if _http_status(error) not in _CONDITION_REFUSED:
                raise
            # An object with our own time is the one that we wrote: only the response to an earlier attempt was lost.
            return _head(bucket, key)[1] == snapshot.run.time
    return True


def _latest_key(source: str) -> str:
    return f"latest/{source}.tsv"


def _put(bucket: str, key: str, snapshot: Snapshot, **condition: str) -> None:
    with TemporaryFile() as body:  # not in memory, where a long table would need the space twice
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
    _etag(response)  # a 200 without an ETag is not from S3


def _head(bucket: str, key: str) -> tuple[str, datetime]:
    """Return the ETag and the snapshot's time of an object; those of NO_SNAPSHOT if there is none."""
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
