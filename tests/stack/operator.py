"""An operator who runs make against the embedded AWS."""

import importlib
import io
import os
import subprocess
import sys
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO
from unittest.mock import patch

from operations.errors import run

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

    def in_this_process(self, **environment: str) -> AbstractContextManager[object]:
        """Give this process the operator's environment, and nothing else, during a block."""
        return patch.dict(os.environ, self.environment | environment, clear=True)

    def run(self, command: str, *words: str, given: str | bytes = "", status: int = 0, **environment: str) -> Printed:
        """Run the command of a target in this process, without make: a process takes a second to load boto3."""
        variables = dict(word.split("=", 1) for word in words)
        output, errors = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        given = given.encode() if isinstance(given, str) else given
        exit_status = 0
        with (
            self.in_this_process(**variables, **environment),
            patch("sys.stdin", io.TextIOWrapper(io.BytesIO(given))),
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            try:
                run(importlib.import_module(f"operations.{command}").main)
            except SystemExit as stopped:  # as Python ends for it
                print(stopped.code, file=sys.stderr)
                exit_status = 1
        printed = Printed(*(stream.buffer.getvalue().decode() for stream in (output, errors)))
        assert exit_status == status, "\n".join(printed)
        return printed

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
