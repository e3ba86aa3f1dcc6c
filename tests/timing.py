"""Time limits in tests. They are far from the expected time: they detect what hangs, not what is slow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ends_within(seconds: float, *, least: float = 0) -> Iterator[None]:
    """Fail if the block takes more than `seconds`, or less than `least`."""
    started = time.monotonic()
    yield
    assert least <= time.monotonic() - started < seconds
