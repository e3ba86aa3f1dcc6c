"""Concurrent calls that end before a deadline."""

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

Result = TypeVar("Result")

_CLOSING_SECONDS = 0.5
# How long a thread whose response has arrived waits for one that parses another page. The default is 5 ms; parsing a
# page takes some 2 ms. https://docs.python.org/3/library/sys.html#sys.setswitchinterval
_SWITCH_SECONDS = 0.0005


class Calls:
    """The calls of a run: at most `at_once` at a time, in the order of `start`, which only one thread may use."""

    def __init__(self, at_once: int) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._pool = ThreadPoolExecutor(at_once)
        self._open: set[Future[Any]] = set()

    def start(self, call: Callable[..., Result], *args: Any, **options: Any) -> Future[Result]:
        """Start a call, now or when an earlier one has ended."""
        future = self._pool.submit(call, *args, **options)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    def result(self, label: str, future: Future[Result], deadline: Deadline) -> Result:
        """Return the result of a call; raises its error, or OutOfTimeError at the deadline.

        A late call goes on until `end`: no socket time-out ends a response whose headers arrive byte by byte.
        """
        if wait([future], timeout=deadline.seconds_left).not_done:
            future.cancel()
            raise OutOfTimeError(f"{label}: the response did not arrive in time.")
        return future.result()

    def results(self, futures: Mapping[str, Future[Result]], deadline: Deadline) -> dict[str, Result | ApiError]:
        """Return the result of each call, or its ApiError, under the same names."""
        found: dict[str, Result | ApiError] = {}
        for name, future in futures.items():
            try:
                found[name] = self.result(name, future, deadline)
            except ApiError as error:
                found[name] = error
        return found

    def end(self, cut: Callable[[], None]) -> None:
        """Start no more calls, and end running ones with `cut`, which closes their connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        end = Deadline.after(_CLOSING_SECONDS)
        cut()
        while wait([*self._open], timeout=0.05).not_done and not end.is_over:
            cut()  # again: a thread may have connected meanwhile
        if not self._open:
            self._pool.shutdown()  # returns at once: all its threads are idle
