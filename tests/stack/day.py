"""A day of snapshots of two sources with a simulated API each, and the job objects that the APIs had."""

import random
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.simulated_jobs import SimulatedJob, new_job, new_jobs
from tests.sandbox.stack import Stack

HOUR = 3600
HOURS_AGO = {"default": (23.5, 12, 2, 0), "team-b": (20, 0.1)}  # when each source was listed

OTHER_WORDS = (  # the server's word for a status, its meaning, and whether the job has `finished_at`
    ("FAILED_VALIDATION", "failed", True),
    ("failed-validation", "failed", False),
    ("SUCCESS", "succeeded", True),
    ("Success", "succeeded", False),
    ("completed", "succeeded", False),
    ("canceled", "cancelled", True),
)


class Run(NamedTuple):
    """One run: the snapshot's source, time and key, and the job objects that the API had."""

    source: str
    time: datetime
    key: str
    jobs: list[dict[str, Any]]


class Day:
    """The stack, and its runs inside `with`, oldest first."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.stack = Stack(aws, "one-day", {"Sources": ",".join(HOURS_AGO), "ScheduleState": "DISABLED"})
        self.runs: list[Run] = []
        self._jobs: dict[str, list[SimulatedJob]] = {}
        self._apis: dict[str, SimulatedApi] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        now = datetime.now(UTC).timestamp()
        self.failing = _failing(now)
        running = new_job(random.Random(5), int(now - 3 * HOUR), "succeeded", hours=9)
        special = {"default": [self.failing, running, *_difficult(now)], "team-b": []}
        for seed, (source, times) in enumerate(HOURS_AGO.items()):
            jobs = [*special[source], *new_jobs(250, now, seed)]
            self._jobs[source] = sorted(jobs, key=lambda job: job.created_at, reverse=True)
            api = self._apis[source] = self._closing.enter_context(SimulatedApi([]))
            self.stack.put_secret(source, api.secret)
            for hours in times:
                self.run(source, hours)
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.close()

    def run(self, source: str, hours_ago: float = 0) -> Run:
        """Take a snapshot of a source some hours ago, later than its previous snapshots."""
        api = self._apis[source]
        api.skipped = -hours_ago * HOUR
        time = datetime.fromtimestamp(api.now, UTC).replace(microsecond=0)
        api.jobs = [job for job in self._jobs[source] if job.created_at <= api.now]
        summary = self.stack.invoke(source=source, time=time.isoformat())
        run = Run(source, time, summary["key"], [api.job(job.id) for job in api.jobs])
        self.runs.append(run)
        return run

    def latest(self) -> dict[str, Run]:
        """Return the newest run of each source."""
        return {run.source: run for run in self.runs}


@dataclass
class OtherServersJob(SimulatedJob):
    """A job of a server other than OpenAI's, which has its own `word` for the status, and other fields."""

    word: str = ""
    says_when: bool = True  # with `finished_at` and a later `modified_at`; else with `modified_at` only

    def payload(self, now: float) -> dict[str, Any]:
        job = super().payload(now)
        if not job["finished_at"]:
            return job
        end = job["finished_at"] if self.says_when else job.pop("finished_at")
        return job | {
            "status": self.word,
            "modified_at": end + HOUR if self.says_when else end,
            "validation_files": ["file-1", "file-2"],
            "method": None,
            "seed": "007",  # not a number
        }


def _failing(now: float) -> SimulatedJob:
    """Return a job that is created after the first snapshot and fails before the third."""
    return new_job(random.Random(1), int(now - 22 * HOUR), "failed", hours=11)


def _difficult(now: float) -> list[SimulatedJob]:
    """Return jobs with fields that a careless reader gets wrong."""
    quote, gap, again = (
        new_job(random.Random(seed), int(now - (28 + seed) * HOUR), ends_as, hours=3)
        for seed, ends_as in ((2, "failed"), (3, "failed"), (4, "succeeded"))
    )
    quote.failure = ("", '"messages" must not be empty, in lines 7, 8 \\ 9')
    quote.metadata = {"note": 'a "quoted" \\ word; =1+1', "team": "Zürich 東京"}
    gap.failure = ("", "NA")
    again.model = "ft:gpt-4o-mini-2024-07-18:acme::AbCdEfGh"
    others = []
    for seed, (word, ends_as, says_when) in enumerate(OTHER_WORDS, start=11):
        job = new_job(random.Random(seed), int(now - 30 * HOUR), ends_as, hours=3)
        job.model = job.model if says_when else "open-mistral-7b"  # so that they are counted separately
        others.append(OtherServersJob(**vars(job), word=word, says_when=says_when))
    return [quote, gap, again, *others]
