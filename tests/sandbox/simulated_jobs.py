"""Simulated fine-tuning jobs that progress with time, and their base models."""

import json
import random
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.sandbox.dialects import WordJob, WordModel

DAY = 86_400

# Base models and their shutdown dates, in days from the start of the simulation; None: no date is announced.
BASE_MODELS: dict[str, int | None] = {
    "gpt-4.1-2025-04-14": 53,
    "gpt-4.1-mini-2025-04-14": 53,
    "gpt-4.1-nano-2025-04-14": None,
    "gpt-4o-2024-08-06": 53,
    "gpt-4o-mini-2024-07-18": 53,
    "gpt-3.5-turbo-0125": 310,
}
_PURPOSES = ("support", "triage", "extract", "tone", "router", "sql")
_FAILURES = (
    ("invalid_training_file", "The job failed due to an invalid training file. Line 12: messages must not be empty."),
    ("exceeded_quota", "You have exceeded your quota of fine-tuning jobs for the day."),
    ("server_error", "The job failed due to an internal error. Please try again."),
)


@dataclass
class SimulatedJob:
    """A job whose status depends on the time: `stages` are (Unix time, status), in order of time."""

    id: str
    model: str
    stages: list[tuple[float, str]]
    suffix: str
    tokens: int
    failure: tuple[str, str]
    metadata: dict[str, str] | None = None
    _encoded: dict[tuple[str, WordJob], bytes] = field(default_factory=dict, repr=False)

    @property
    def created_at(self) -> int:
        return int(self.stages[0][0])

    def reached(self, now: float) -> list[tuple[float, str]]:
        """Return the stages that the job has reached at `now`: at least the first."""
        return [stage for stage in self.stages if stage[0] <= now] or self.stages[:1]

    def status(self, now: float) -> str:
        """Return the job's status at a time."""
        time, last = self.stages[-1]
        return last if time <= now else self.reached(now)[-1][1]

    def finish(self, status: str, at: float) -> None:
        """End the job with `status` at a time, whatever its own stages are."""
        self.stages = [*(stage for stage in self.stages if stage[0] < at), (at, status)]
        self._encoded.clear()

    def encoded(self, now: float, word: WordJob) -> bytes:
        """Return the server's job object as JSON, built once for each status."""
        key = self.status(now), word
        if key not in self._encoded:
            self._encoded[key] = json.dumps(word(self.payload(now), int(self.reached(now)[-1][0]))).encode()
        return self._encoded[key]

    def payload(self, now: float) -> dict[str, Any]:
        """Return the job object as OpenAI's API returns it."""
        reached, status = self.reached(now)[-1]
        ended = status in {"succeeded", "failed", "cancelled"}
        succeeded = status == "succeeded"
        return {
            "object": "fine_tuning.job",
            "id": self.id,
            "model": self.model,
            "created_at": self.created_at,
            "finished_at": int(reached) if ended else None,
            "fine_tuned_model": self.fine_tuned_model(now),
            "organization_id": "org-simulated",
            "result_files": [f"file-{self.id[-8:]}"] if succeeded else [],
            "status": status,
            "validation_file": None,
            "training_file": f"file-{self.id[6:18]}",
            "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 2.0},
            "trained_tokens": self.tokens if succeeded else None,
            "error": dict(zip(("code", "message", "param"), (*self.failure, "training_file"), strict=True))
            if status == "failed"
            else None,
            "user_provided_suffix": self.suffix,
            "seed": 42,
            "estimated_finish": None,
            "integrations": [],
            "metadata": self.metadata,
            "method": {
                "type": "supervised",
                "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 2.0}},
            },
        }

    def fine_tuned_model(self, now: float) -> str | None:
        """Return the name of the model that the job has made, None if it has not succeeded."""
        return f"ft:{self.model}:acme:{self.suffix}:{self.id[-8:]}" if self.status(now) == "succeeded" else None

    def events(self, now: float) -> list[dict[str, Any]]:
        """Return the job's events, newest first."""
        return [
            {
                "object": "fine_tuning.job.event",
                "id": f"ftevent-{self.id[6:]}-{number}",
                "created_at": int(at),
                "level": "error" if status == "failed" else "info",
                "message": f"The job is {status}",
                "type": "message",
                "data": {},
            }
            for number, (at, status) in reversed(list(enumerate(self.reached(now))))
        ]


class StaticJob(dict[str, Any]):
    """A job object that does not change with time; it has the methods of a SimulatedJob."""

    @property
    def id(self) -> str:
        return str(self["id"])

    def encoded(self, _now: float, word: WordJob) -> bytes:
        """Return the server's job object as JSON."""
        return json.dumps(word(self, self.get("updated_at") or self.get("finished_at") or 0)).encode()

    def payload(self, _now: float) -> dict[str, Any]:
        """Return the job object itself."""
        return self

    def fine_tuned_model(self, _now: float) -> str | None:
        """Return the name of the model that the job has made, if any."""
        return self.get("fine_tuned_model")

    def events(self, _now: float) -> list[dict[str, Any]]:
        """Return no events: its history is not known."""
        return []


def new_job(chance: random.Random, created_at: float, ends_as: str, hours: float | None = None) -> SimulatedJob:
    """Return a job that is created at a time, runs for some hours, and ends with the status `ends_as`."""
    hours = chance.uniform(0.3, 6) if hours is None else hours
    return SimulatedJob(
        id="ftjob-" + "".join(chance.choices(string.ascii_letters + string.digits, k=24)),
        model=chance.choice(list(BASE_MODELS)),
        stages=[
            (created_at, "validating_files"),
            (created_at + 60, "queued"),
            (created_at + 240, "running"),
            (created_at + 240 + hours * 3600, ends_as),
        ],
        suffix=chance.choice(_PURPOSES),
        tokens=chance.randrange(20_000, 3_000_000),
        failure=chance.choice(_FAILURES),
        metadata={"team": chance.choice(_PURPOSES)} if chance.random() < 0.3 else None,
    )


def new_jobs(count: int, now: float, seed: int = 7) -> list[SimulatedJob]:
    """Return `count` jobs, newest first, of which at least the newest is active; equal arguments give equal jobs."""
    chance = random.Random(seed)
    jobs = []
    created_at = now - 20 * 60
    for _ in range(count):
        jobs.append(
            new_job(chance, int(created_at), chance.choices(("succeeded", "failed", "cancelled"), (88, 8, 4))[0])
        )
        created_at -= chance.expovariate(1 / min(5 * 3600, 3 * 365 * DAY / count))
    return jobs


def models(tuned: Mapping[str, str], today: date, announced: dict[str, str | None], word: WordModel) -> bytes:
    """Return the list of models as JSON: base models, with the `announced` dates or their own, and fine-tuned models.

    `tuned` maps each fine-tuned model to its base model.
    """
    ends: dict[str, str | None] = {
        base: None if days is None else str(today + timedelta(days=days)) for base, days in BASE_MODELS.items()
    }
    ends |= dict.fromkeys(tuned) | announced
    entries = [word(model, tuned.get(model, model), end) for model, end in ends.items()]
    return json.dumps({"object": "list", "data": entries}).encode()
