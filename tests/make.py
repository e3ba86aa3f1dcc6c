"""make, as the tests run it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.aws import ROOT


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
