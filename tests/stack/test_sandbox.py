"""`make run` and `make sandbox`, as a user runs them."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.documents import examples, section
from tests.make import Printed, make
from tests.samples import payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
ENVIRONMENT["PYTHONPATH"] = "functions"


@pytest.fixture
def kept() -> Iterator[set[Path]]:
    """Remove the files that `make run` writes; yield those that existed before."""
    folder = ROOT / "snapshots" / "latest"
    before = {*folder.glob("*")}
    yield before
    for path in {*folder.glob("*")} - before:
        path.unlink()


def make_run(environment: Mapping[str, str], *, status: int = 0) -> Printed:
    return make("--silent", "run", environment={**ENVIRONMENT, **environment}, status=status)


def test_run_shows_the_new_snapshot() -> None:
    done = make_run({})
    assert "listing simulated jobs" in done.output
    assert re.search(r"\n251 jobs: 2 running, \d+ succeeded, \d+ failed, \d+ cancelled\n", done.output)
    assert re.search(r"JobCount +251\n", done.output)
    copy = re.search(r"Copy +(snapshots/\S+\.tsv)\n", done.output)
    assert copy
    rows = (ROOT / copy[1]).read_text().splitlines()
    assert len(rows) == 252
    assert rows[1].split("\t")[4] in done.output
    assert re.search(r"Changes since the first snapshot\n  JobCountChange +2\n  JobsCreated +2\n", done.output)
    assert re.search(r": running → failed\n", done.output)
    assert re.search(r"\n  Fine-tuning job ftjob-\w+ of the source default: failed \|", done.output)
    assert "\nAlarms JobCountChanged default, JobsFailed default, ModelShutdownNear default\n" in done.output
    (sample,) = examples(section("Try it"), "console")
    assert {shape(line) for line in sample.splitlines()[1:]} <= {"…", *map(shape, done.output.splitlines())}
    wide = [line for line in done.output.splitlines() if len(line) > 80]
    assert all("s3://" in line for line in wide)  # a path, which users copy, is not wrapped


def shape(line: str) -> str:
    """Return a line without what differs from run to run."""
    return re.sub(r"\d+", "0", line).rstrip()


@pytest.mark.usefixtures("kept")
def test_run_with_a_key_shows_changes_since_the_previous_run(api: SimulatedApi) -> None:
    api.jobs = api.jobs[:7]
    own = {"OPENAI_API_KEY": api.key, "OPENAI_BASE_URL": api.base_url}
    done = make_run(own | {"OPENAI_ORG_ID": "org-1"})
    assert "\n7 jobs: " in done.output
    assert "This is the first snapshot of this account" in done.output
    assert len(api.requests) == 3

    api.jobs = [payload(1, id="ftjob-new", created_at=int(api.now)), *api.jobs[:5]]
    again = make_run(own | {"OPENAI_ORG_ID": "org-1"})
    assert re.search(r"Changes since 20\d\d-\d\d-\d\d \d\d:\d\d UTC\n  JobCountChange +3\n", again.output)
    assert "ftjob-new: new → succeeded" in again.output
    assert ": succeeded → removed" in again.output
    assert api.key not in "".join(run.output + run.errors for run in (done, again))


def test_run_reports_a_refused_key_without_a_traceback(api: SimulatedApi) -> None:
    done = make_run({"OPENAI_API_KEY": "sk-some-other-key-123", "OPENAI_BASE_URL": api.base_url}, status=2)
    assert "The run failed. GET /fine_tuning/jobs" in done.output
    assert "Traceback" not in done.output + done.errors
    assert "sk-some" not in done.output + done.errors


def test_sandbox_stops_on_ctrl_c() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox.sandbox"], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        too_long = threading.Timer(180, process.kill)
        too_long.start()
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C stops" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        too_long.cancel()
    assert process.returncode == 0
    assert rest.endswith("Stopped.\n")
    assert re.search(r"export AWS_ENDPOINT_URL=https://127\.0\.0\.1:\d+\n", printed)
