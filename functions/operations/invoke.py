"""`make invoke`: runs the deployed function once, and waits for its result."""

import json
import os
from pathlib import Path
from typing import Any

from botocore.config import Config
from snapshot.settings import DEFAULT_SOURCE

from operations import stack
from operations.errors import OperationError, run

# As long as the function may run, and a little for the way. A client that tries again would start a second run; and
# a connection without traffic may be cut on the way: https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk
_CONFIG = Config(read_timeout=15 * 60 + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def main() -> None:
    """Print the summary of a run; raises OperationError with the sentence that a failed run ends with."""
    event = _event()
    deployed = stack.deployed()
    response = deployed.session.client("lambda", config=_CONFIG).invoke(
        FunctionName=deployed.outputs["SnapshotFunction"], Payload=event
    )
    result = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise OperationError(_sentence(json.loads(result)))
    print(result)


def _event() -> bytes:
    """The event in the file EVENT, or one for SOURCE; raises OperationError if both are given."""
    source, path, full = (os.environ.get(name, "") for name in ("SOURCE", "EVENT", "FULL"))
    if not path:
        return json.dumps({"source": source or DEFAULT_SOURCE, "full": full not in {"", "0"}}).encode()
    if source or full:
        raise OperationError(
            "EVENT is a whole event, with its own source and full: leave out EVENT, or both SOURCE and FULL."
        )
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OperationError(f"The event {path} cannot be read: {error.strerror}.") from None


def _sentence(error: dict[str, Any]) -> str:
    """What a failed run ended with: the function's own errors are sentences, others are understood by their type."""
    message: str = error.get("errorMessage", "")
    return message if message.endswith(".") else f"{error.get('errorType')}: {message}"


if __name__ == "__main__":
    run(main)
