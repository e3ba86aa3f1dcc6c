"""Copies of this checkout in other folders, and make in them."""

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
    """A folder with the files that Git tracks or would add."""

    folder: Path

    def make(self, *words: str, environment: dict[str, str], status: int = 0, given: bytes = b"") -> Done:
        """Run make, which must end with this status (2 if a recipe fails)."""
        done = subprocess.run(
            ["make", *words], cwd=self.folder, env=environment, input=given, capture_output=True, check=False
        )
        printed = Done(done.stdout, done.stderr.decode(errors="replace"))
        assert done.returncode == status, f"{printed.output.decode(errors='replace')}\n{printed.errors}"
        return printed

    def moved_to(self, folder: Path) -> "Checkout":
        """Rename the folder, and return the checkout."""
        return Checkout(self.folder.rename(folder))


def copy_to(folder: Path) -> Checkout:
    """Copy this checkout as `git clone` does, with uncommitted changes."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)
