"""An operator of the embedded AWS, who runs make in a shell."""

import subprocess
import sys
from pathlib import Path
from typing import IO, NamedTuple

from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import sam_environment


def until(printed: IO[bytes], text: str) -> bytes:
    """What a command prints, up to a text, or to the end."""
    shown = b""
    while text.encode() not in shown and (byte := printed.read(1)):
        shown += byte
    return shown


class Printed(NamedTuple):
    """What a command printed: its answer, and what it told beside that."""

    output: str
    errors: str


class Operator:
    """Someone with credentials for the account, and with answers of their own in `folder`."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.folder = folder
        # Those of the names that a recipe may use are exported here, as in an operator's shell.
        used = {"key": "x", "value": "x", "secret": "x"}
        own = {name: value for name, value in sam_environment(aws).items() if not name.startswith("MAKE")}
        self.environment = used | own | {"HOME": str(folder), "ANSWERS_FOLDER": str(folder)}

    def make(self, *words: str, given: str | bytes = "", status: int = 0, **environment: str) -> Printed:
        """Run make with some standard input; it has to end with this status (make's own is 2)."""
        done = subprocess.run(
            ["make", "--silent", *words],
            cwd=ROOT,
            env=self.environment | environment,
            input=given.encode() if isinstance(given, str) else given,
            capture_output=True,
            check=False,
        )
        printed = Printed(done.stdout.decode(), done.stderr.decode())
        assert done.returncode == status, "\n".join(printed)
        return printed

    def make_at_a_terminal(self, *words: str, prompt: str, typed: str) -> str:
        """Run make at a terminal, and type when the prompt is there; returns what the terminal shows."""
        spawn = "import pty, sys; pty.spawn(sys.argv[1:])"
        with subprocess.Popen(
            [sys.executable, "-c", spawn, "make", "--silent", *words],
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
