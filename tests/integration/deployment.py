"""The function in this process, with the embedded AWS and the simulated API over real HTTP."""

import io
import json
import traceback
from typing import Any

import pytest
from snapshot.app import lambda_handler

from tests.context import Context
from tests.samples import payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws


class Deployment:
    """A bucket, secrets and an API for one test, and the function that uses them."""

    def __init__(self, aws: EmbeddedAws, api: SimulatedApi, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.aws = aws
        self.api = api
        self.prefix = prefix
        self.bucket = prefix.strip("/")
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.log = io.StringIO()
        self._capsys = capsys
        self.output = ""

    def put_secret(self, value: str | bytes | None, source: str = "default") -> None:
        """Create or replace the secret of a source: text, binary, or without a value."""
        self.aws.put_secret(self.prefix + source, value)

    def put_simulated_secret(self, source: str = "default") -> None:
        """Create or replace the secret with the key of the simulated API."""
        self.put_secret(self.api.secret, source)

    def run(self, *, seconds: float = 300, **event: Any) -> dict[str, Any]:
        """Invoke the handler; fail if the key is in its summary, output, log or error."""
        try:
            summary = lambda_handler(event, Context(seconds))
        except Exception:
            self._search(traceback.format_exc())
            raise
        finally:
            self.output += self._capsys.readouterr().out
            self._search(self.output + self.log.getvalue())
        self._search(repr(summary))
        return {**summary}  # a dict: a test knows which kind of summary it reads

    def objects(self) -> dict[str, bytes]:
        """Every object in the bucket: key to content."""
        return self.aws.objects(self.bucket)

    def rows(self, source: str = "default") -> list[dict[str, str]]:
        """The rows of the newest table, by the names of the columns."""
        header, *lines = self.objects()[f"latest/{source}.tsv"].decode().removesuffix("\n").split("\n")
        return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]

    def logged(self) -> list[dict[str, Any]]:
        """The log's lines so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def metrics(self) -> dict[tuple[str, str], float]:
        """The last value of every metric: name and status, if any, to value."""
        found = {}
        for line in map(json.loads, self.output.splitlines()):
            for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                found[metric["Name"], line.get("Status", "")] = line[metric["Name"]][-1]
        return found

    def _search(self, text: str) -> None:
        assert self.api.key not in text
        assert self.api.key[:12] not in text  # nor its beginning, which the API echoes


def change_jobs(deployment: Deployment) -> None:
    """Let one job fail, one succeed, one be created and one be removed."""
    api = deployment.api
    now = int(api.now)
    failing, succeeding, *others, _ = api.jobs
    api.jobs = [
        payload(9, created_at=now, status="queued", finished_at=None),
        failing | {"status": "failed", "finished_at": now, "error": {"code": "c", "message": "m"}},
        succeeding | {"status": "succeeded", "finished_at": now, "fine_tuned_model": "ft:2"},
        *others,
    ]


def take_first_snapshot(deployment: Deployment) -> None:
    """Take a snapshot of five running jobs."""
    deployment.api.jobs = [payload(number, status="running", finished_at=None) for number in range(5, 0, -1)]
    deployment.run()
