"""Ends in order, whoever ends it."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """Raise KeyboardInterrupt at the first of the signals that end a program; ignore those that come after it."""
    tempfile.gettempdir()  # tries the folder with a file at its first use, which a signal might leave there
    # Ctrl-C even if it is ignored, as by what a shell starts with &. Not so SIGHUP, which nohup ignores.
    for number in _SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(*_: object) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # make passes on what the terminal has sent already
    raise KeyboardInterrupt


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let a signal wait until what is made in here can also be removed; a process that is started inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
