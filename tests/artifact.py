"""The built function, and the parts of its build that the tests and the benchmark call."""

import subprocess
import sys
from pathlib import Path

from tests.sandbox.aws import ROOT

ARTIFACT = ROOT / ".aws-sam" / "build" / "SnapshotFunction"


def runtime_python() -> str | None:
    """Return the path of a Python of Lambda's version; empty if this machine has none."""
    return _make("lambdas-python").strip() or None


def compile_files(folder: Path, version: str | None = None) -> str:
    """Compile the modules in a folder as the build does, with Lambda's Python or another; return the build's output."""
    return _make("compile", f"ARTIFACTS_DIR={folder}", *([f"RUNTIME={version}"] if version else []))


def _make(*arguments: str) -> str:
    command = ["make", "--silent", "--no-print-directory", "-C", str(ROOT / "functions/snapshot"), *arguments]
    done = subprocess.run([*command, f"PYTHON={sys.executable}"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
