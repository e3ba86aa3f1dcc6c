"""A simulated account whose jobs are created, changed and removed even while they are listed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snapshot import changes, table
from snapshot.statuses import TERMINAL
from snapshot.table import Line

from tests.samples import payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.dialects import Dialect

_NEXT = {
    "queued": ("running", "cancelled"),
    "running": ("succeeded", "failed", "paused"),
    "paused": ("running",),
}
_ORDERS = ("newest", "newest", "newest", "oldest", "random", "flipping", "updated last", "updated first")


@dataclass(frozen=True)
class Server:
    """The order, paging and fields of a simulated server."""

    order: str
    paging: str
    largest_page: int
    tells_has_more: bool
    tells_total: bool
    unknown_cursor: str
    gives_single_jobs: bool
    gives_events: bool
    tells_updated_at: bool
    change_rate: float  # the probability that something changes before a page

    @classmethod
    def random_one(cls, chance: random.Random) -> "Server":
        """Return a random server."""
        paging = chance.choice(("after", "after", "after", "page"))
        return cls(
            order=chance.choice(_ORDERS),
            paging=paging,
            largest_page=chance.choice((1, 2, 7, 20, 100)),
            tells_has_more=chance.random() < 0.5,
            tells_total=chance.random() < (0.3 if paging == "after" else 0.7),
            unknown_cursor=chance.choice(("404", "empty", "restart")),
            gives_single_jobs=chance.random() < 0.8,
            gives_events=chance.random() < 0.3,  # they are most of the requests
            tells_updated_at=chance.random() < 0.8,
            change_rate=chance.choice((0, 0.02, 0.1, 0.4)),
        )

    def api(self) -> SimulatedApi:
        """Return such a server, without jobs."""
        dialect = Dialect(
            paging=self.paging,
            tells_has_more=self.tells_has_more,
            tells_total=self.tells_total,
            gives_single_jobs=self.gives_single_jobs,
            gives_events=self.gives_events,
        )
        api = SimulatedApi([], dialect=dialect)
        api.largest_page, api.unknown_cursor = self.largest_page, self.unknown_cursor
        return api


class MovingAccount:
    """The jobs of a simulated API, and the rules that a table of them must obey."""

    def __init__(self, api: SimulatedApi, server: Server, chance: random.Random) -> None:
        self.change_rate = server.change_rate
        self._api = api
        self._server = server
        self._chance = chance
        self._clock = 1_760_000_000
        self._count = 0
        self._run = 0
        self._jobs: dict[str, dict[str, Any]] = {}
        self._ranks: dict[str, float] = {}
        self._states: dict[str, set[str]] = {}  # the statuses of each job during the run
        self._unchanged: set[str] = set()
        self._reported_created: set[str] = set()
        self._most = min(130, 30 * server.largest_page)  # to limit the number of requests
        for _ in range(min(chance.choice((0, 3, 30, 70, 110)), self._most)):
            self._create(chance.choice((*TERMINAL, "succeeded", "running", "queued", "paused")))
        api.before_page = self._maybe_step

    def begin_run(self) -> None:
        """Begin to record the statuses of each job."""
        self._run += 1
        self._serve()
        self._states = {job_id: {job["status"]} for job_id, job in self._jobs.items()}
        self._unchanged = set(self._jobs)

    def step(self) -> None:
        """Create, change or remove one job."""
        kind = self._chance.choices(("create", "change", "remove"), (4, 5, 2))[0]
        unfinished = [job_id for job_id, job in self._jobs.items() if job["status"] in _NEXT]
        if kind == "create" and len(self._jobs) < self._most:
            self._create("queued")
        elif kind == "change" and unfinished:
            job = self._jobs[self._chance.choice(unfinished)]
            self._set(job, self._chance.choice(_NEXT[job["status"]]))
        elif kind != "change" and self._jobs:
            job_id = self._chance.choice(list(self._jobs))
            del self._jobs[job_id]
            self._unchanged.discard(job_id)
        self._serve()

    def problems(self, previous: Sequence[Line] | None, lines: Sequence[Line], *, full: bool) -> list[str]:
        """Return what is wrong with a table of this run, and with its changes."""
        rows = {table.job_id(line): table.status(line) for line in lines}
        before = {table.job_id(line): table.status(line) for line in previous or ()}
        created = [table.created_at(line) for line in lines]
        found = ["a job is listed twice"] if len(rows) < len(lines) else []
        found += ["not newest first"] if created != sorted(created, reverse=True) else []
        found += [f"{job_id} is missing" for job_id in self._unchanged - rows.keys()]
        for job_id, status in rows.items():
            # Only a full listing notices that a job below the pages read was removed after it had ended.
            is_ghost = not full and before.get(job_id) == status and status in TERMINAL
            if status not in self._states.get(job_id, ()) and not is_ghost:
                found.append(f"{job_id} was not {status}")
        if previous is None:
            self._reported_created |= rows.keys()
            return found
        for change in changes.diff(previous, lines).jobs:
            job_id = change.job.id
            if change.status == changes.REMOVED and job_id in self._jobs:
                found.append(f"{job_id} is reported as removed")
            if change.previous_status is None and job_id in self._reported_created:
                found.append(f"{job_id} is reported as created again")
            self._reported_created.add(job_id)
        return found

    def _maybe_step(self) -> None:
        while self._chance.random() < self.change_rate:
            self.step()

    def _create(self, status: str) -> None:
        self._count += 1
        self._clock += self._chance.choice((0, 0, 1, 60))
        job = payload(self._count, created_at=self._clock)
        self._jobs[job["id"]] = job
        self._ranks[job["id"]] = self._chance.random()
        self._set(job, status)

    def _set(self, job: dict[str, Any], status: str) -> None:
        self._clock += 1
        job["status"], job["changed"] = status, self._clock
        job["finished_at"] = self._clock if status in TERMINAL else None
        if self._server.tells_updated_at:
            job["updated_at"] = self._clock
        self._states.setdefault(job["id"], set()).add(status)
        self._unchanged.discard(job["id"])

    def _serve(self) -> None:
        order = self._server.order
        if order == "flipping":
            order = "newest" if self._run % 2 else "oldest"
        jobs = [{**job} for job in self._jobs.values()]  # oldest first
        if order == "newest":
            jobs.reverse()
        elif order == "random":
            jobs.sort(key=lambda job: self._ranks[job["id"]])
        elif order.startswith("updated"):
            jobs.sort(key=lambda job: job["changed"], reverse=order == "updated first")
        self._api.jobs = jobs
