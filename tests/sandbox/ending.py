"""Signals: a program that is ended removes its processes and folders first."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """Raise KeyboardInterrupt at the first signal that would end the program, and ignore later ones."""
    tempfile.gettempdir()  # at its first use, tempfile writes a test file, which a signal could leave behind
    # SIGINT even if it is ignored, as in a job that a shell starts with &; an ignored SIGHUP is left alone, for nohup.
    for number in _SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(*_: object) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # make forwards a signal that the terminal has sent to all
    raise KeyboardInterrupt


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Delay signals until the end of the block, so that what it creates is removed; child processes inherit this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
