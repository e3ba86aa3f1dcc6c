"""The changes in the simulated API between the two snapshots of `make run`."""

import random
from datetime import UTC, datetime, timedelta

from tests.sandbox.api import SimulatedApi
from tests.sandbox.simulated_jobs import SimulatedJob, new_job

_HOURS = 9  # longer than the demo runs


def begin(api: SimulatedApi) -> None:
    """Two jobs are active; all others have ended."""
    api.jobs = [*(_job(api, minutes) for minutes in (25, 140)), *api.jobs[1:]]


def go_on(api: SimulatedApi) -> None:
    """One of them fails, one succeeds, two are created, and a base model's shutdown date is announced."""
    failing, succeeding, *_ = api.jobs
    failing.finish("failed", api.now - 60)
    succeeding.finish("succeeded", api.now - 30)
    api.jobs = [*(_job(api, minutes) for minutes in (1, 2)), *api.jobs]
    end = datetime.fromtimestamp(api.now, UTC).date() + timedelta(days=25)
    api.announced = {"gpt-4.1-nano-2025-04-14": str(end)}


def _job(api: SimulatedApi, minutes: int) -> SimulatedJob:
    return new_job(random.Random(minutes), int(api.now) - 60 * minutes, "succeeded", _HOURS)
