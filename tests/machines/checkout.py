"""Copies of this checkout elsewhere, and make in them."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.aws import ROOT


class Done(NamedTuple):
    """What a command printed."""

    output: bytes
    errors: str


class Checkout(NamedTuple):
    """A folder with what Git knows or would add, and no more."""

    folder: Path

    def make(self, *words: str, environment: dict[str, str], status: int = 0, given: bytes = b"") -> Done:
        """Run make, which has to end with this status (make's own is 2)."""
        done = subprocess.run(
            ["make", *words], cwd=self.folder, env=environment, input=given, capture_output=True, check=False
        )
        printed = Done(done.stdout, done.stderr.decode(errors="replace"))
        assert done.returncode == status, f"{printed.output.decode(errors='replace')}\n{printed.errors}"
        return printed

    def moved_to(self, folder: Path) -> "Checkout":
        """The same one with another name."""
        return Checkout(self.folder.rename(folder))


def copy_to(folder: Path) -> Checkout:
    """A checkout as it is after `git clone`."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)
