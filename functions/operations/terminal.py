"""Talking with the operator, beside a command's answer on standard output."""

import os
import sys

from operations.errors import OperationError


def say(text: str) -> None:
    """Tell something on standard error."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str) -> str:
    """The answer to a question, one line of standard input; raises OperationError if that has ended."""
    print(question, end=" ", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise OperationError("\nNo answer on standard input: nothing was changed.")
    return line.strip()


def confirm(question: str) -> None:
    """Return if the operator says yes, at a terminal or by CONFIRM=yes; raise OperationError if not."""
    if os.environ.get("CONFIRM") == "yes":
        return
    if not sys.stdin.isatty():
        raise OperationError(f"{question} There is no terminal to ask at: say CONFIRM=yes. Nothing was changed.")
    if ask(f"{question} [y/N]").lower() not in {"y", "yes"}:
        raise OperationError("Nothing was changed.")
