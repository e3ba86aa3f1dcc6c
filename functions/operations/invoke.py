"""`make invoke`: runs the deployed function once and waits for its result."""

import json
import os
from pathlib import Path
from typing import Any

from botocore.config import Config
from snapshot.settings import DEFAULT_SOURCE

from operations import stack
from operations.errors import OperationError, run
from operations.stack import Stack

# The function's longest time-out, and a margin. A retry would start a second run. Networks may drop idle connections:
# https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk
_CONFIG = Config(read_timeout=15 * 60 + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def main() -> None:
    """Print the summary of a run; raises OperationError with the error of a failed run."""
    event = _event_of_file()
    deployed = stack.deployed()
    if event is None:
        event = _event_for_source(deployed)
    response = deployed.session.client("lambda", config=_CONFIG).invoke(
        FunctionName=deployed.outputs["SnapshotFunction"], Payload=event
    )
    result = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise OperationError(_sentence(json.loads(result)))
    print(result)


def _event_of_file() -> bytes | None:
    """Return the event in the file EVENT, None without one; raises OperationError if SOURCE or FULL is given too."""
    source, path, full = (os.environ.get(name) for name in ("SOURCE", "EVENT", "FULL"))
    if not path:
        return None
    if source or full:
        raise OperationError(
            "EVENT is a whole event with its own source and full: leave out EVENT, or both SOURCE and FULL."
        )
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OperationError(f"The event {path} cannot be read: {error.strerror}.") from None


def _event_for_source(deployed: Stack) -> bytes:
    """Return an event for SOURCE and FULL; raises OperationError if the stack has no such source."""
    source = os.environ.get("SOURCE") or DEFAULT_SOURCE
    deployed.check_source(source)
    return json.dumps({"source": source, "full": os.environ.get("FULL", "") not in {"", "0"}}).encode()


def _sentence(error: dict[str, Any]) -> str:
    """Return the message of a failed run, with its type unless it is a sentence, as the function's own errors are."""
    message: str = error.get("errorMessage", "")
    return message if message.endswith(".") else f"{error.get('errorType')}: {message}"


if __name__ == "__main__":
    run(main)
