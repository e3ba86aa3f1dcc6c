"""Deadlines, and the time limit that ends a run that hangs."""

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from snapshot.errors import OutOfTimeError

_REPEAT_SECONDS = 1  # the signal is repeated, because an exception that is raised in a finalizer is lost


class Deadline(NamedTuple):
    """A moment, in seconds of time.monotonic()."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the moment this many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def seconds_left(self) -> float:
        """The seconds until the moment; 0 after it."""
        return max(0.0, self.moment - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the moment has passed."""
        return time.monotonic() >= self.moment

    def minus(self, seconds: float) -> "Deadline":
        """Return the moment this many seconds before this one."""
        return Deadline(self.moment - seconds)

    def within(self, seconds: float) -> "Deadline":
        """Return this moment, or the one this many seconds from now if that is earlier."""
        return min(self, Deadline.after(seconds))


class _TimeIsUp(BaseException):
    """Not an Exception: botocore would catch that, and retry."""


def _step(error: BaseException) -> str:
    """Return the innermost function of this package in which an exception was raised, as `module.function`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inner = [frame for frame in frames if frame.f_globals.get("__name__", "").startswith("snapshot.")]
    # Leave out this module: the signal handler is the innermost frame.
    frame = next((frame for frame in reversed(inner) if frame.f_globals["__name__"] != __name__), frames[0])
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"


@contextmanager
def time_limit(deadline: Deadline) -> Iterator[None]:
    """Raise OutOfTimeError at the deadline, wherever the block is, even in a name lookup. For the main thread only."""
    is_armed = True

    def interrupt(*_: object) -> None:
        if is_armed:
            raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(deadline.seconds_left, 0.001), _REPEAT_SECONDS)  # 0 would mean never
    try:
        yield
        is_armed = False  # here too: a _TimeIsUp that is raised in `finally` would not be caught
    except _TimeIsUp as error:
        raise OutOfTimeError(f"The invocation's time ran out in {_step(error)}.") from error
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
