"""The time limit of a run that hangs."""

import contextlib
import itertools
import signal
import time

import pytest
from snapshot import table
from snapshot.deadline import Deadline, time_limit
from snapshot.errors import OutOfTimeError

from tests.timing import ends_within


def test_earlier_deadline_counts() -> None:
    now = time.monotonic()
    assert Deadline(now + 50).within(60) == Deadline(now + 50)
    assert now + 60 <= Deadline(now + 70).within(60).moment <= time.monotonic() + 60
    assert Deadline(70).minus(60) == Deadline(10)


def test_past_deadline_has_no_seconds_left() -> None:
    past, ahead = Deadline.after(-5), Deadline.after(50)
    assert (past.seconds_left, past.is_over) == (0, True)
    assert (40 < ahead.seconds_left <= 50, ahead.is_over) == (True, False)


def hang() -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(10)


def test_time_limit_ends_a_block_that_catches_every_exception() -> None:
    with ends_within(5), pytest.raises(OutOfTimeError, match="time ran out"), time_limit(Deadline.after(0.1)):
        hang()


def test_time_limit_in_the_past_ends_the_block_immediately() -> None:
    with pytest.raises(OutOfTimeError), time_limit(Deadline.after(-5)):
        time.sleep(10)


def test_time_limit_restores_the_signal_handler() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(Deadline.after(0.05)):
        pass
    with pytest.raises(ValueError, match="own"), time_limit(Deadline.after(0.05)):
        raise ValueError("own")
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) == before


class Slow:
    """An object whose finalizer takes longer than the limit: what is raised there is lost."""

    def __del__(self) -> None:
        time.sleep(0.3)


def let_go(slow: list[Slow]) -> None:
    for _ in range(50):
        slow.clear()
        time.sleep(0.1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_time_limit_lost_in_a_finalizer_is_repeated() -> None:
    with pytest.raises(OutOfTimeError), time_limit(Deadline.after(0.1)):
        let_go([Slow()])


def test_the_step_that_took_too_long_is_named() -> None:
    with (
        pytest.raises(OutOfTimeError, match=r"time ran out in snapshot\.table\.\w*from_file"),
        time_limit(Deadline.after(0.05)),
    ):
        table.from_file(b"id\tstatus\n" for _ in itertools.count())
