"""The last resort of a run that hangs: it ends before Lambda would end it without a word."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from snapshot.errors import OutOfTimeError

_AGAIN_SECONDS = 1  # an exception that is raised in a finalizer is lost


class _TimeIsUp(BaseException):
    """No Exception: botocore and Powertools catch those, and would try again."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError wherever the block is after so many seconds, be it in a name lookup. In the main thread."""
    is_armed = True

    def ring(*_: object) -> None:
        if is_armed:
            raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _AGAIN_SECONDS)  # 0 would be never
    try:
        yield
        is_armed = False  # here too: a ring in `finally` would leave as it is
    except _TimeIsUp as error:
        raise OutOfTimeError(
            "The invocation's time was used up in the step that the traceback shows. Nothing is lost: the next run "
            "repeats what is missing."
        ) from error
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
