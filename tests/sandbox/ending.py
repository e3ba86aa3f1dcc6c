"""Ends in order, whoever ends it."""

import signal


def end_in_order() -> None:
    """Raise KeyboardInterrupt at the first of the signals that end a program; ignore those that come after it."""
    # Ctrl-C even if it is ignored, as by what a shell starts with &. Not so SIGHUP, which nohup ignores.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # make passes on what the terminal has sent already
    raise KeyboardInterrupt
