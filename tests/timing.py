"""Time limits in tests, far from what is expected: they show that something hangs, not how fast it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ends_within(seconds: float, *, least: float = 0) -> Iterator[None]:
    """Fail if the block succeeds after more than `seconds`, or in less than the `least`."""
    started = time.monotonic()
    yield
    assert least <= time.monotonic() - started < seconds
