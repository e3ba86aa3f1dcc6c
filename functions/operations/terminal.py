"""Messages and questions to the operator; standard output is only for a command's result."""

import os
import sys

from operations.errors import OperationError


def say(text: str) -> None:
    """Print a message on standard error."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str) -> str:
    """Ask a question and return the answer, one line of standard input; raises OperationError at its end."""
    print(question, end=" ", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise OperationError("\nNo answer on standard input: nothing was changed.")
    return line.strip()


def confirm(question: str) -> None:
    """Raise OperationError unless the operator says yes, at a terminal or with CONFIRM=yes."""
    if os.environ.get("CONFIRM") == "yes":
        return
    if not sys.stdin.isatty():
        raise OperationError(f"{question} There is no terminal to confirm at: set CONFIRM=yes. Nothing was changed.")
    if ask(f"{question} [y/N]").lower() not in {"y", "yes"}:
        raise OperationError("Nothing was changed.")
