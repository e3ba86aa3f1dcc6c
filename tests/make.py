"""make, as the tests run it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.aws import ROOT

# The beginning of a command to which a test sends SIGINT or SIGHUP. A shell makes what it starts with & or nohup ignore
# them, and programs inherit that: without this, the command would ignore them too, and the test would wait forever.
_DEFAULT_SIGNALS = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITH_SIGNALS = (sys.executable, "-c", _DEFAULT_SIGNALS)


class Printed(NamedTuple):
    """What a command printed: standard output, and standard error."""

    output: str
    errors: str


def make(
    *words: str, environment: Mapping[str, str], folder: Path = ROOT, given: str | bytes = "", status: int = 0
) -> Printed:
    """Run make with this standard input; it must end with this status (2 if a recipe fails)."""
    done = subprocess.run(
        ["make", *words],
        cwd=folder,
        env=environment,
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        check=False,
    )
    printed = Printed(*(stream.decode(errors="replace") for stream in (done.stdout, done.stderr)))
    assert done.returncode == status, "\n".join(printed)
    return printed
