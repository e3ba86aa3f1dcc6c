"""The simulated API in a process of its own: `python -m tests.benchmark.server JOBS MILLISECONDS`.

Prints base URL and key. Two of the jobs run, and will for a day; all others have ended: nothing changes meanwhile.
"""

import functools
import random
import sys
import threading
import time

from tests.sandbox import simulated_jobs
from tests.sandbox.api import SimulatedApi

ACTIVE = 2
_LONGEST_HOURS = 7  # which every other job has had to end


class StillApi(SimulatedApi):
    """One whose models stay as they are: making a list of very many would take it longer than any latency."""

    @functools.cache  # noqa: B019  # there is one of it
    def models(self) -> bytes:
        """The list of models as JSON, made once."""
        return super().models()


def main() -> None:
    """Serve until terminated."""
    count, latency = int(sys.argv[1]), float(sys.argv[2]) / 1000
    now, chance = time.time(), random.Random(8)
    active = [simulated_jobs.new_job(chance, now - 600 * n, "succeeded", hours=24) for n in range(1, ACTIVE + 1)]
    ended = simulated_jobs.new_jobs(count - ACTIVE, now - _LONGEST_HOURS * 3600)
    with StillApi([*active, *ended]) as api:
        api.models()
        api.latency = latency
        print(api.base_url, api.key, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
