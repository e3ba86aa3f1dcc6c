"""Many runs of one source with random faults: every table is correct, and no change is lost.

The account does not change during a run, so the correct table is known.
"""

import random
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from snapshot import aws, changes, table
from snapshot.aws import events
from snapshot.errors import SnapshotError
from snapshot.table import Line

from tests.integration import crash
from tests.integration.deployment import Deployment
from tests.samples import file_of, lines_of
from tests.sandbox import api_faults
from tests.sandbox.api import Fault
from tests.sandbox.aws_faults import AwsFault, FlakyAws
from tests.sandbox.queues import Queue
from tests.soak.account import Account

LATEST = "latest/default.tsv"
AWS_FAULTS = (
    "403 AccessDenied",
    "409 ConditionalRequestConflict",
    "500 InternalError",
    "503 SlowDown",
    "dropped before",
    "dropped after",
    "entries refused",
)
FULL_EVERY = 96
API_PATHS = ("/fine_tuning/jobs", "/events", "/models", "/fine_tuning/jobs/")
API_FAULTS = {
    **{f"status {code}": api_faults.status(code) for code in (400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504)},
    "html": api_faults.html(),
    "reset": api_faults.reset,
    "truncated": api_faults.truncated,
    "invalid JSON": api_faults.body(b'{"object":"list","data":[{"id":"\xff'),
    "no list": api_faults.body({"object": "list"}),
}


class Killed(BaseException):
    """The process dies at an AWS call; the function does not catch this."""


class Known(NamedTuple):
    """One version of `latest`."""

    stamp: str
    key: str
    lines: list[Line]


class Soak:
    """The account, the function, and what the function has written and sent."""

    def __init__(self, deployment: Deployment, flaky: FlakyAws, bus: Queue, seed: int) -> None:
        self.deployment = deployment
        self.flaky = flaky
        self.bus = bus
        self.chance = random.Random(seed)
        self.account = Account(deployment.api, self.chance)
        self.ends: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.ghosts_seen = 0
        self.hit = False
        self.dated: dict[str, bytes] = {}
        self.latest: list[Known] = []
        self.sent: list[tuple[str, ...]] = []
        self.kill_at: tuple[int, str] | None = None
        self._calls = 0
        for client in (aws.s3_client(), aws.events_client(), aws.secrets_client()):
            client.meta.events.register("before-call", lambda context, **_: self._call(context, "before"))
            client.meta.events.register("after-call", lambda context, **_: self._call(context, "after"))

    def _call(self, context: dict[str, Any], moment: str) -> None:
        if moment == "before":
            self._calls += 1
            context["number"] = self._calls
        if self.kill_at == (context["number"], moment):
            self.hit = True
            raise Killed

    def tick(self, when: float, *, full: bool = False) -> None:
        """Deliver one scheduled time, with or without a fault."""
        event: dict[str, Any] = {"time": f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%SZ}", "full": full}
        fault, seconds = self._add_fault()
        summary = self._run(event, seconds)
        if self.hit or self.flaky.hits:
            self.faults[fault] += 1
        self.deployment.api.faults = []
        self.flaky.set(None)
        self.kill_at = None
        self.sent += received(self.bus)
        self._check_written(event, summary)

    def _run(self, event: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        self._calls = 0
        if self.chance.random() < 0.01:
            dead = crash.start(event, str(self.chance.randint(1, 5)), self.chance.choice(("before", "after")))
            self.ends[f"process ended with {dead.returncode}"] += 1
            return None
        try:
            summary = self.deployment.run(seconds=seconds, **event)
        except Killed:
            self.ends["killed"] += 1
            return None
        except SnapshotError as error:
            self.ends[f"failed with {type(error).__name__}"] += 1
            return None
        self.ends["skipped" if "skipped" in summary else "succeeded"] += 1
        return summary

    def _add_fault(self) -> tuple[str, float]:
        """Set up at most one fault; return its name, and the seconds that the run has."""
        chance = self.chance
        self.hit = False
        kind = chance.choices(("none", "api", "aws", "kill", "rotate"), (70, 14, 9, 6, 1))[0]
        if kind == "api":
            name, lasting = chance.choice(list(API_FAULTS)), chance.random() < 0.4
            path = chance.choice(API_PATHS)
            if path.endswith("/"):  # a single job
                path += chance.choice(list(self.account.truth))
            fault = Fault(path, self._counted(API_FAULTS[name]), 99 if lasting else 1, chance.choice((0, 0, 1, 2)))
            self.deployment.api.faults = [fault]
            return f"API {name}", 61 if lasting else 63
        if kind == "aws":
            fault_kind = chance.choice(AWS_FAULTS)
            self.flaky.set(AwsFault(fault_kind, chance.randrange(7), chance.choice((1, 2, 9))))
            return f"AWS {fault_kind}", 90
        if kind == "kill":
            self.kill_at = (chance.randint(1, 6), chance.choice(("before", "after")))
            return f"died {self.kill_at[1]} an AWS call", 90
        if kind == "rotate":
            self.deployment.api.key = f"sk-rotated-{chance.randrange(10**12):012}"
            self.deployment.put_secret(self.deployment.api.key)
            self.hit = True
        return "key rotated", 90

    def _counted(self, handler: Handler) -> Handler:
        async def counted(request: web.Request) -> web.StreamResponse:
            self.hit = True
            return await handler(request)

        return counted

    def _check_written(self, event: dict[str, Any], summary: dict[str, Any] | None) -> None:
        """Compare what the run wrote, if anything, with the account."""
        stamp = event["time"]
        key = f"snapshots/source=default/dt={stamp[:10]}/{stamp.replace('-', '').replace(':', '')}.tsv"
        succeeded = summary is not None and "skipped" not in summary
        must_be_full = event["full"] if summary is None else summary.get("full_listing", False)
        body, _ = self._get(key)
        if body != self.dated.get(key, b"") or succeeded:
            self._check(lines_of(body), must_be_full=must_be_full)
            self.dated[key] = body
        body, written_at = self._get(LATEST)
        if body and (not self.latest or (written_at, body) != (self.latest[-1].stamp, file_of(self.latest[-1].lines))):
            assert (written_at, body) == (stamp, self.dated[key])
            assert not self.latest or self.latest[-1].stamp <= stamp
            self.latest.append(Known(stamp, key, lines_of(body)))
        if succeeded:
            assert (self.latest[-1].stamp, summary["key"] if summary else "") == (stamp, key)
        elif summary is not None:
            assert self.latest[-1].stamp > stamp

    def _check(self, lines: list[Line], *, must_be_full: bool) -> None:
        statuses = {table.job_id(line): table.status(line) for line in lines}
        assert len(statuses) == len(lines)
        extra = statuses.items() - self.account.truth.items()
        assert self.account.truth.items() <= statuses.items()
        assert extra <= self.account.ghosts.items()
        if must_be_full:
            assert not extra
        self.ghosts_seen += len(extra)

    def _get(self, key: str) -> tuple[bytes, str]:
        s3 = self.deployment.s3
        try:
            response = s3.get_object(Bucket=self.deployment.bucket, Key=key)
        except s3.exceptions.NoSuchKey:
            return b"", ""
        return response["Body"].read(), response["Metadata"]["snapshot-time"]


def received(bus: Queue) -> list[tuple[str, ...]]:
    """Return for each event: the snapshot's key, the job or model, its previous state, and its new state."""
    found: list[tuple[str, ...]] = []
    for event in bus.receive():
        detail = event["detail"]
        if event["detail-type"] == events.JOB_CHANGED:
            what = (detail["job_id"], detail["previous_status"] or "", detail["status"])
        else:
            what = (detail["model"], detail["previous_shutdown_date"], detail["shutdown_date"])
        found.append((detail["snapshot_key"], *what))
    return found


def statuses(known: Known) -> dict[str, str]:
    return {table.job_id(line): table.status(line) for line in known.lines}


def needed(known: list[Known]) -> set[tuple[str, ...]]:
    """Return the events that are needed for the differences between successive versions of `latest`."""
    wanted: set[tuple[str, ...]] = set()
    for before, after in pairwise(known):
        difference = changes.diff(before.lines, after.lines)
        wanted |= {(after.key, job.job.id, job.previous_status or "", job.status) for job in difference.jobs}
        wanted |= {
            (after.key, end.model, end.previous_shutdown_date, end.shutdown_date) for end in difference.shutdowns
        }
    return wanted


def test_no_change_is_lost(
    deployment: Deployment, bus: Queue, flaky: FlakyAws, figures: list[str], pytestconfig: pytest.Config
) -> None:
    ticks, seed = pytestconfig.getoption("ticks"), pytestconfig.getoption("seed")
    figures.append(f"soak: {ticks} ticks, seed {seed}")
    started = time.monotonic()
    first = time.time() - ticks - 60
    soak = Soak(deployment, flaky, bus, seed)
    for number in range(ticks):
        soak.account.step()
        soak.tick(first + number, full=number % FULL_EVERY == FULL_EVERY - 1)
        if soak.chance.random() < 0.04:  # delivered twice, sometimes with a change in between
            if soak.chance.random() < 0.5:
                soak.account.step()
            soak.faults["delivered twice"] += 1
            soak.tick(first + number)
        if soak.chance.random() < 0.03 and number:
            soak.faults["delivered late"] += 1
            soak.tick(first + soak.chance.randrange(max(0, number - 5), number))

    sent = soak.sent
    objects = deployment.objects()
    assert objects.pop(LATEST) == file_of(soak.latest[-1].lines)
    assert objects == soak.dated
    wanted = needed(soak.latest)
    assert wanted - {*sent} == set()
    # The events alone give the newest table, except for a change that a run sent before it died, if it was then undone.
    followed = statuses(soak.latest[0]) | {what[1]: what[3] for what in sent if what[1].startswith("ftjob-")}
    expected = {job_id: status for job_id, status in followed.items() if status != changes.REMOVED}
    differing = {job_id for job_id, _ in expected.items() ^ statuses(soak.latest[-1]).items()}
    assert differing <= {job_id for _, job_id, *_ in {*sent} - wanted}
    figures += [
        f"runs: {dict(sorted(soak.ends.items()))}",
        f"faults: {dict(sorted(soak.faults.items()))}",
        f"{len(soak.dated)} dated tables, {len(soak.latest)} versions of latest, {len(soak.latest[-1].lines)} jobs",
        f"{soak.ghosts_seen} rows of ended jobs that were removed: only a full listing notices that",
        f"{len(sent)} events, {len(wanted)} needed, none lost; {len(differing)} sent before a run died, then undone",
        f"{time.monotonic() - started:.0f} s",
    ]
