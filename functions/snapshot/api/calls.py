"""Calls that are made beside each other, and ended in time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from snapshot.deadline import Deadline
from snapshot.errors import ApiError, OutOfTimeError

Result = TypeVar("Result")

_CLOSING_SECONDS = 0.5


class Calls:
    """Every call of a run: at most so many at a time, in the order in which they are started, by one thread."""

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once)
        self._open: set[Future[Any]] = set()

    def start(self, call: Callable[..., Result], *args: Any, **options: Any) -> Future[Result]:
        """Begin a call, or let it wait until others have ended."""
        future = self._pool.submit(call, *args, **options)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    def result(self, label: str, future: Future[Result], deadline: Deadline) -> Result:
        """What a call returns; raises its error, or OutOfTimeError if it is late.

        A late one is left alone until the end: no time-out of a socket ends a response whose headers trickle in.
        """
        if wait([future], timeout=deadline.seconds_left).not_done:
            future.cancel()
            raise OutOfTimeError(f"{label}: the response did not arrive in time.")
        return future.result()

    def results(self, futures: Mapping[str, Future[Result]], deadline: Deadline) -> dict[str, Result | ApiError]:
        """What each call returns, or its ApiError, by the same names."""
        found: dict[str, Result | ApiError] = {}
        for name, future in futures.items():
            try:
                found[name] = self.result(name, future, deadline)
            except ApiError as error:
                found[name] = error
        return found

    def end(self, cut: Callable[[], None]) -> None:
        """Begin no call any more, and let `cut` end the connections of those that are being made."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        end = Deadline.after(_CLOSING_SECONDS)
        cut()
        while wait([*self._open], timeout=0.05).not_done and not end.is_over:
            cut()  # again: a thread may just have been connecting
        if not self._open:
            self._pool.shutdown()  # its threads are idle, and end at once
