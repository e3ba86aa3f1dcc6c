"""The simulated API in its own process: `python -m tests.benchmark.server JOBS MILLISECONDS`.

Prints base URL and key. Two jobs run for a day, all others have ended: nothing changes during a measurement.
"""

import functools
import random
import sys
import threading
import time

from tests.sandbox import simulated_jobs
from tests.sandbox.api import SimulatedApi

ACTIVE = 2
_LONGEST_HOURS = 7  # all other jobs have ended within this time


class ConstantApi(SimulatedApi):
    """A server with a constant list of models: to build a long one takes longer than any latency."""

    @functools.cache  # noqa: B019  # there is only one instance
    def models(self) -> bytes:
        """Return the list of models as JSON, built once."""
        return super().models()


def main() -> None:
    """Serve until terminated."""
    count, latency = int(sys.argv[1]), float(sys.argv[2]) / 1000
    now, chance = time.time(), random.Random(8)
    active = [simulated_jobs.new_job(chance, now - 600 * n, "succeeded", hours=24) for n in range(1, ACTIVE + 1)]
    ended = simulated_jobs.new_jobs(count - ACTIVE, now - _LONGEST_HOURS * 3600)
    with ConstantApi([*active, *ended]) as api:
        api.models()
        api.latency = latency
        print(api.base_url, api.key, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
