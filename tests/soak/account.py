"""A simulated account whose jobs are created, changed and removed between runs, not during one."""

import random
from typing import Any

from snapshot.statuses import TERMINAL

from tests.samples import payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.paging import LARGEST_PAGE

_NEXT = {
    "validating_files": ("queued", "queued", "failed"),
    "queued": ("running", "running", "cancelled"),
    "running": ("succeeded", "succeeded", "failed", "cancelled", "paused"),
    "paused": ("running", "melting"),
    "melting": ("running",),  # an unknown status
}
_MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4.1-mini-2025-04-14", "gpt-4.1-nano-2025-04-14")


class Account:
    """The jobs of a SimulatedApi. `ghosts` were removed after they had ended; only a full listing notices that."""

    def __init__(self, api: SimulatedApi, chance: random.Random) -> None:
        self.api = api
        self.chance = chance
        self.count = 0
        self.ghosts: dict[str, str] = {}
        self._clock = int(api.now) - 100_000
        api.jobs = []
        for _ in range(150):
            self._create(chance.choice((*TERMINAL, "running")))

    @property
    def truth(self) -> dict[str, str]:
        """The status of each job, by id."""
        return {job["id"]: job["status"] for job in self.api.jobs}

    def step(self) -> None:
        """Change, remove and create some jobs."""
        chance = self.chance
        self.api.jobs = [
            self._with_status(job, chance.choice(_NEXT[job["status"]]))
            if job["status"] in _NEXT and chance.random() < 0.15
            else job
            for job in self.api.jobs
        ]
        if chance.random() < 0.03:
            self._remove(chance.randrange(len(self.api.jobs)))
        burst = chance.randrange(20, 2 * LARGEST_PAGE) if chance.random() < 0.005 else 0
        for _ in range(burst + (chance.random() < 0.4)):
            self._create("validating_files")
        if chance.random() < 0.01:
            self.api.announced = {chance.choice(_MODELS): chance.choice((None, "2031-01-01", "2032-02-02"))}

    def _create(self, status: str) -> None:
        self.count += 1
        self._clock += self.chance.choice((0, 1, 60))
        job = payload(self.count, created_at=self._clock, model=self.chance.choice(_MODELS))
        self.api.jobs = [self._with_status(job, status), *self.api.jobs]

    def _remove(self, place: int) -> None:
        jobs = list(self.api.jobs)
        removed = jobs.pop(place)
        self.api.jobs = jobs
        if removed["status"] in TERMINAL:
            self.ghosts[removed["id"]] = removed["status"]

    def _with_status(self, job: dict[str, Any], status: str) -> dict[str, Any]:
        self._clock += 1
        return job | {
            "status": status,
            "finished_at": self._clock if status in TERMINAL else None,
            "fine_tuned_model": f"ft:{job['model']}:{job['id']}" if status == "succeeded" else None,
        }
