"""The built function, and the parts of its build that the tests and the benchmark call."""

import subprocess
import sys
from pathlib import Path

from tests.sandbox.aws import ROOT

ARTIFACT = ROOT / ".aws-sam" / "build" / "SnapshotFunction"


def runtime_python() -> str | None:
    """The path of a Python of Lambda's version, if this machine has one."""
    return _make("lambdas-python").strip() or None


def compile_files(folder: Path, version: str | None = None) -> str:
    """Compile a folder's modules as the build does, for Lambda's version of Python or another; what the build says."""
    return _make("compile", f"ARTIFACTS_DIR={folder}", *([f"RUNTIME={version}"] if version else []))


def _make(*arguments: str) -> str:
    command = ["make", "--silent", "--no-print-directory", "-C", str(ROOT / "functions/snapshot"), *arguments]
    done = subprocess.run([*command, f"PYTHON={sys.executable}"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
