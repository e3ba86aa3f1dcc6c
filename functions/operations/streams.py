"""Standard input and output, on any terminal and where there is none."""

import io
import locale
import os
import sys
from pathlib import Path


def prepare() -> None:
    """Write what the terminal can show, whatever encoding the files have; read nothing from a closed input."""
    if sys.stdin is None:  # https://docs.python.org/3/library/sys.html#sys.__stdin__
        sys.stdin = Path(os.devnull).open()  # and its descriptor is 0, not that of the next file  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=_encoding(), errors="backslashreplace")


def _encoding() -> str | None:
    """The one that the locale names; None for Python's own choice."""
    if os.environ.get("PYTHONIOENCODING"):
        return None
    named = locale.getencoding()
    # The C locale names ASCII, and says nothing of the terminal: https://peps.python.org/pep-0540/
    return None if named in {"ANSI_X3.4-1968", "US-ASCII"} else named
