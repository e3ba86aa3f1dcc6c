"""Copies of this checkout in other folders, and make in them."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.make import Printed, make
from tests.sandbox.aws import ROOT


class Checkout(NamedTuple):
    """A folder with the files that Git tracks or would add."""

    folder: Path

    def make(self, *words: str, environment: Mapping[str, str], status: int = 0, given: str = "") -> Printed:
        """Run make in the folder, as `tests.make.make`."""
        return make(*words, environment=environment, folder=self.folder, given=given, status=status)

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
