"""`make latest`: prints the newest table of a source, byte for byte."""

import os
import sys
from typing import Any

from snapshot.settings import DEFAULT_SOURCE

from operations import stack
from operations.errors import OperationError, run
from operations.stack import Stack

_CHUNK = 1 << 20  # bytes


def main() -> None:
    """Write the table of SOURCE to standard output; raises OperationError if there is none yet."""
    source = os.environ.get("SOURCE") or DEFAULT_SOURCE
    deployed = stack.deployed()
    response = newest(deployed.session.client("s3"), deployed, source)
    if response is None:
        deployed.check_source(source)  # not before: a source that was removed lately may still have its table
        raise OperationError(
            f"There is no snapshot of the source {source} yet: `{deployed.command('invoke', SOURCE=source)}` takes one."
        )
    for chunk in response["Body"].iter_chunks(_CHUNK):
        sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


def newest(s3: Any, deployed: Stack, source: str) -> Any:
    """Return S3's response with the newest table of a source; None if there is none."""
    bucket, _, folder = deployed.outputs["LatestSnapshots"].removeprefix("s3://").partition("/")
    try:
        return s3.get_object(Bucket=bucket, Key=f"{folder}{source}.tsv")
    except s3.exceptions.NoSuchKey:
        return None


if __name__ == "__main__":
    run(main)
