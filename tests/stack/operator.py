"""An operator who runs make against the embedded AWS."""

import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.make import WITH_SIGNALS, Printed, make
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import sam_environment


def until(printed: IO[bytes], text: str) -> bytes:
    """Return what a command prints, up to a text or to the end."""
    shown = b""
    while text.encode() not in shown and (byte := printed.read(1)):
        shown += byte
    return shown


class Operator:
    """A user with credentials for the account, and with files of answers in `folder`."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.folder = folder
        # Variables that recipes use are exported, as in an operator's shell.
        used = {"key": "x", "value": "x", "secret": "x"}
        self.environment = used | sam_environment(aws) | {"HOME": str(folder), "ANSWERS_FOLDER": str(folder)}

    def make(self, *words: str, given: str | bytes = "", status: int = 0, **environment: str) -> Printed:
        """Run make as this operator, as `tests.make.make`."""
        return make("--silent", *words, environment=self.environment | environment, given=given, status=status)

    def make_at_a_terminal(self, *words: str, prompt: str, typed: str) -> str:
        """Run make at a terminal, and type after the prompt; return what the terminal shows."""
        spawn = "import pty, sys; pty.spawn(sys.argv[1:])"
        with subprocess.Popen(
            [*WITH_SIGNALS, sys.executable, "-c", spawn, "make", "--silent", *words],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin
            assert process.stdout
            shown = until(process.stdout, prompt)
            process.stdin.write(typed.encode())
            process.stdin.flush()
            shown += process.stdout.read()
        return shown.decode()
