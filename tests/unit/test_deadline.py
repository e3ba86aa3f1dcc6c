"""The end of a run that hangs."""

import contextlib
import signal
import time

import pytest
from snapshot.deadline import Deadline, time_limit
from snapshot.errors import OutOfTimeError


def hang() -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(10)


def test_it_ends_a_block_that_swallows_every_exception() -> None:
    started = time.monotonic()
    with pytest.raises(OutOfTimeError, match="time was used up"), time_limit(Deadline.after(0.1)):
        hang()
    assert time.monotonic() - started < 5


def test_a_limit_in_the_past_ends_it_at_once() -> None:
    with pytest.raises(OutOfTimeError), time_limit(Deadline.after(-5)):
        time.sleep(10)


def test_it_leaves_nothing_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(Deadline.after(0.05)):
        pass
    with pytest.raises(ValueError, match="own"), time_limit(Deadline.after(0.05)):
        raise ValueError("own")
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) == before
