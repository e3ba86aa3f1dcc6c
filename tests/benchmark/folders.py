"""The measured code in read-only folders, like /var/task of Lambda, and for its version of Python if possible."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.artifact import ARTIFACT, compile_files, runtime_python
from tests.sandbox.aws import ROOT

_RUNTIME_PYTHON = runtime_python()
PYTHON = _RUNTIME_PYTHON or sys.executable
_OTHER_VERSION = None if _RUNTIME_PYTHON else f"{sys.version_info.major}.{sys.version_info.minor}"
_REQUIREMENTS = (ROOT / "tests/requirements.txt", ROOT / "tests/benchmark/requirements.txt")


class Folders(NamedTuple):
    """The function with and without compiled files, and the compiled packages of its peers."""

    compiled: Path
    plain: Path
    peers: Path


@contextmanager
def read_only_folders() -> Iterator[Folders]:
    """Make the folders; raise RuntimeError at the end if something was written there."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folders = Folders(*(Path(name) / folder for folder in Folders._fields))
        for folder in (folders.compiled, folders.plain):
            shutil.copytree(ARTIFACT, folder, ignore=shutil.ignore_patterns("__pycache__"))
        _install_peers(folders.peers)
        for folder in (folders.compiled, folders.peers):
            compile_files(folder, _OTHER_VERSION)
        paths = [*Path(name).rglob("*")]
        for path in paths:
            path.chmod(path.stat().st_mode & ~0o222)
        yield folders
        # Root may write to read-only folders.
        written = {*Path(name).rglob("*")} - {*paths}
        if written:
            raise RuntimeError(f"Written beside the code, which Lambda would not allow: {written}")


def child_environment(path: Path) -> dict[str, str]:
    """Return the variables of a process that imports from one folder, and from this project what is not there."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))} | {
        "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _install_peers(folder: Path) -> None:
    uv = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--python", PYTHON, "--target", str(folder)]
    pins = [argument for file in _REQUIREMENTS for argument in ("--constraint", str(file))]
    subprocess.run([*uv, *pins, "boto3", "openai", "dlt"], check=True)
