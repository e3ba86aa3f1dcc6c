"""What is measured, as Lambda has it in /var/task: read-only folders, for its version of Python where there is one."""

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
    """The function with and without compiled files, and the packages of its peers, compiled likewise."""

    compiled: Path
    plain: Path
    peers: Path


@contextmanager
def read_only_folders() -> Iterator[Folders]:
    """Make the folders; an error if something has been written there at the end."""
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
        # Which root may do all the same.
        written = {*Path(name).rglob("*")} - {*paths}
        if written:
            raise RuntimeError(f"Written beside the code, which Lambda would not allow: {written}")


def child_environment(path: Path) -> dict[str, str]:
    """Variables of a process that finds the packages of one folder; of the project only what the others lack."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))} | {
        "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _install_peers(folder: Path) -> None:
    uv = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--python", PYTHON, "--target", str(folder)]
    pins = [argument for file in _REQUIREMENTS for argument in ("--constraint", str(file))]
    subprocess.run([*uv, *pins, "boto3", "openai", "dlt"], check=True)
