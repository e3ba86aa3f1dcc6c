"""How long things may take: one value for it, and the last resort of a run that hangs."""

import signal
import time
import traceback
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


def _step(error: BaseException) -> str:
    """The innermost function of this package in which an exception was raised, as `module.function`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inner = [frame for frame in frames if frame.f_globals.get("__name__", "").startswith("snapshot.")]
    # The signal's handler, and the block itself, are ours too.
    frame = next((frame for frame in reversed(inner) if frame.f_globals["__name__"] != __name__), frames[0])
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"


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
        raise OutOfTimeError(f"The invocation's time was used up in {_step(error)}.") from error
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
