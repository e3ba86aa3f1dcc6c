"""How long things may take: one value for it, and the last resort of a run that hangs."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from snapshot.errors import OutOfTimeError

_AGAIN_SECONDS = 1  # an exception that is raised in a finalizer is lost


class Deadline(NamedTuple):
    """A moment, in the seconds of time.monotonic()."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def seconds_left(self) -> float:
        """Not negative."""
        return max(0.0, self.moment - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the moment is not ahead any more."""
        return time.monotonic() >= self.moment

    def minus(self, seconds: float) -> "Deadline":
        """The moment so many seconds before this one."""
        return Deadline(self.moment - seconds)

    def within(self, seconds: float) -> "Deadline":
        """This moment, or the one so many seconds from now if that comes first."""
        return min(self, Deadline.after(seconds))


class _TimeIsUp(BaseException):
    """No Exception: botocore catches those, and would try again."""


@contextmanager
def time_limit(deadline: Deadline) -> Iterator[None]:
    """Raise OutOfTimeError wherever the block is at the deadline, be it in a name lookup. In the main thread."""
    is_armed = True

    def ring(*_: object) -> None:
        if is_armed:
            raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(deadline.seconds_left, 0.001), _AGAIN_SECONDS)  # 0 would be never
    try:
        yield
        is_armed = False  # here too: a ring in `finally` would leave as it is
    except _TimeIsUp as error:
        raise OutOfTimeError("The invocation's time was used up in the step that the traceback shows.") from error
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
