"""Many calls to the API at a time, ended in time."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from snapshot.errors import ApiError, OutOfTimeError
from snapshot.transport import CONNECTIONS

_Result = TypeVar("_Result")


def outcomes(
    call: Callable[[str], _Result], job_ids: Sequence[str], deadline: float
) -> list[tuple[str, _Result | ApiError]]:
    """What `call` returns for each job, or its ApiError; for one that is late at the deadline an OutOfTimeError."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        futures = [pool.submit(call, job_id) for job_id in job_ids]
        wait(futures, timeout=max(0.0, deadline - time.monotonic()))
    finally:
        # Late ones are left alone: no time-out of a socket ends an answer whose headers trickle in.
        pool.shutdown(wait=False, cancel_futures=True)
    found: list[tuple[str, _Result | ApiError]] = []
    for job_id, future in zip(job_ids, futures, strict=True):
        if not future.done() or future.cancelled():
            late = OutOfTimeError(f"The answer for the job {job_id} had not arrived when the time for it was used up.")
            found.append((job_id, late))
        elif isinstance(error := future.exception(), ApiError):
            found.append((job_id, error))
        else:
            found.append((job_id, future.result()))
    return found
