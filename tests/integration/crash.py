"""Run the handler in a process that dies at one of its AWS calls: `python -m tests.integration.crash {} 3 before`."""

import json
import os
import subprocess
import sys
from typing import Any

import botocore.handlers
from snapshot.app import lambda_handler

from tests.context import Context
from tests.sandbox.aws import ROOT

calls = 0


def start(event: dict[str, Any], *when: str) -> subprocess.CompletedProcess[str]:
    """Run this module; it dies at the AWS call with a number, `before` or `after` it."""
    return subprocess.run(
        [sys.executable, "-m", "tests.integration.crash", json.dumps(event), *when],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "functions", "POWERTOOLS_LOG_LEVEL": "CRITICAL"},
        capture_output=True,
        text=True,
        check=False,
    )


def count(context: dict[str, Any], **_: Any) -> None:
    """Count the calls; die before the chosen one is sent."""
    global calls  # noqa: PLW0603
    calls += 1
    context["number"] = str(calls)
    if (context["number"], "before") == tuple(sys.argv[2:]):
        die()


def done(context: dict[str, Any], **_: Any) -> None:
    """Die after the chosen call."""
    if (context["number"], "after") == tuple(sys.argv[2:]):
        die()


def die() -> None:
    """End like a killed process, without clean-up; what was printed has already reached Lambda."""
    sys.stdout.flush()
    os._exit(9)


if __name__ == "__main__":
    botocore.handlers.BUILTIN_HANDLERS += [("before-call", count), ("after-call", done)]
    lambda_handler(json.loads(sys.argv[1]), Context(300))
    print(calls, file=sys.stderr)
