"""Run the handler in many processes at once: a line of JSON per run on standard input, and one per run as it ends.

Each input line is `{"event": …, "after": seconds}`; each output line `{"event": …, "summary": …}` or `{…, "error": …}`.
"""

import json
import os
import sys
import time
from typing import Any

from snapshot import aws
from snapshot.app import lambda_handler

from tests.context import Context


def run(event: dict[str, Any], results: int) -> None:
    """Run the handler in this process, without its metrics on standard output, and write the outcome to `results`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        outcome: dict[str, Any] = {"summary": lambda_handler(event, Context(300))}
    except Exception as error:  # noqa: BLE001 - reported, not handled
        outcome = {"error": f"{type(error).__name__}: {error}"}
    os.write(results, json.dumps({"event": event} | outcome).encode() + b"\n")


def main() -> None:
    """Fork a process for each line: they share the imports, so they can start at the same moment."""
    # Clients that have not connected yet; making them takes longer than a run.
    aws.s3_client(), aws.secrets_client(), aws.events_client()
    runs = [json.loads(line) for line in sys.stdin]
    results = os.dup(sys.stdout.fileno())
    start = time.monotonic()
    for each in runs:
        if os.fork() == 0:
            time.sleep(max(0.0, start + each["after"] - time.monotonic()))
            run(each["event"], results)
            os._exit(0)
    for _ in runs:
        os.wait()


if __name__ == "__main__":
    main()
