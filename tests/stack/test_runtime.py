"""The artifact in AWS's runtime interface client, with the stack's configuration: one process, many invocations."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.artifact import ARTIFACT
from tests.samples import payload
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.aws_faults import AwsFault, FlakyAws
from tests.sandbox.runtime import Invocation, LambdaProcess
from tests.sandbox.stack import Stack
from tests.timing import ends_within

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="AWS's runtime client is compiled for Linux only")

NOTHING_WRITTEN = "Nothing was written; the next run tries again."


class Account:
    """Two APIs, with a bucket and secrets for them, and one process of the function."""

    def __init__(self, aws: FlakyAws, process: LambdaProcess, apis: dict[str, SimulatedApi]) -> None:
        self.aws = aws
        self.process = process
        self.apis = apis

    def put_secret(self, source: str, value: str) -> None:
        self.aws.aws.put_secret(f"runtime/{source}", value)

    def invoke(self, seconds: float = 300, **event: Any) -> Invocation:
        """Invoke the function; fail if a key is in its result or its lines."""
        invocation = self.process.invoke(event, seconds)
        for api in self.apis.values():
            assert api.key not in repr(invocation)
        return invocation

    def hang(self) -> Invocation:
        """Invoke the function while AWS does not respond, one second before the handler's own time limit."""
        self.aws.set(AwsFault("held", first=0, times=1))
        return self.invoke(seconds=6, source="a")


@pytest.fixture(scope="module")
def account(aws: EmbeddedAws, stack: Stack) -> Iterator[Account]:
    client = aws.client("lambda")
    configuration = client.get_function_configuration(FunctionName=stack.outputs["SnapshotFunction"])
    aws.client("s3").create_bucket(Bucket="runtime")
    jobs = [payload(2, status="running", finished_at=None), payload(1)]
    with (
        FlakyAws(aws) as flaky,
        SimulatedApi(jobs, key="sk-of-source-a-0123456789") as a,
        SimulatedApi(jobs[1:], key="sk-of-source-b-0123456789") as b,
        LambdaProcess(
            ARTIFACT,
            configuration,
            aws.environment
            | {"AWS_ENDPOINT_URL": flaky.endpoint, "SNAPSHOT_BUCKET": "runtime", "SECRET_PREFIX": "runtime/"},
        ) as process,
    ):
        account = Account(flaky, process, {"a": a, "b": b})
        for source, api in account.apis.items():
            account.put_secret(source, api.secret)
        yield account


def parsed(invocation: Invocation) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of an invocation, which are JSON objects: those of metrics, and the others."""
    lines = [json.loads(line) for line in invocation.output]
    assert all(isinstance(line, dict) for line in lines)
    metrics = [line for line in lines if "_aws" in line]
    return metrics, [line for line in lines if "_aws" not in line]


def test_run_logs_only_its_metrics_and_its_summary(account: Account) -> None:
    """Also the first one in a new process: this is the first test."""
    _, logged = parsed(account.invoke(source="a"))
    assert [line["message"] for line in logged] == ["Snapshot taken"]


def test_metric_lines_are_not_wrapped(account: Account) -> None:
    # CloudWatch finds metrics only in a line that is the EMF object itself, not in the message of a JSON log line.
    invocation = account.invoke(source="a")
    metrics, _ = parsed(invocation)
    assert sum(line.startswith('{"_aws"') for line in invocation.output) == len(metrics) > 0
    assert {line["Source"] for line in metrics} == {"a"}
    assert [line["JobCount"] for line in metrics if "Status" not in line] == [[2.0]]


def test_the_summary_is_the_response(account: Account) -> None:
    invocation = account.invoke(source="b")
    _, (logged,) = parsed(invocation)
    assert invocation.outcome == "response"
    assert invocation.payload["job_count"] == 1
    assert invocation.payload.items() <= logged.items()


def test_an_error_is_reported_with_its_type_and_consequence(account: Account) -> None:
    invocation = account.invoke(source="unknown")
    metrics, (logged, reported) = parsed(invocation)
    assert invocation.outcome == "error"
    assert invocation.payload["errorType"] == "SecretError"
    assert invocation.payload["errorMessage"].startswith("The secret runtime/unknown does not exist or has no value")
    assert invocation.payload["errorMessage"].endswith(NOTHING_WRITTEN)
    assert metrics == []
    assert logged["message"] == invocation.payload["errorMessage"]
    assert reported.items() >= invocation.payload.items()  # the line of the runtime itself


def test_the_time_limit_ends_a_run_before_lambda_does(account: Account) -> None:
    with ends_within(4):
        invocation = account.hang()
    assert invocation.payload["errorType"] == "OutOfTimeError"
    assert invocation.payload["errorMessage"].endswith(NOTHING_WRITTEN)


def test_replaced_secret_is_used_by_the_next_run(account: Account) -> None:
    api = account.apis["b"]
    assert account.invoke(source="b").outcome == "response"
    api.key = "sk-the-next-of-source-b-0123456789"
    account.put_secret("b", api.secret)
    assert account.invoke(source="b").outcome == "response"
    account.put_secret("b", api.secret.replace("next", "wrong"))
    assert account.invoke(source="b").payload["errorType"] == "ApiError"
    account.put_secret("b", api.secret)
    assert account.invoke(source="b").outcome == "response"


def test_no_state_is_carried_from_one_run_to_the_next(account: Account) -> None:
    account.put_secret("empty", "{}")
    account.put_secret("refused", account.apis["a"].secret.replace("of-source", "unknown"))
    expected = {"a": 2, "empty": "SecretError", "b": 1, "refused": "ApiError"}
    used = []  # after each round; the first one creates clients and connections
    for round_number in range(7):
        if round_number in {0, 4}:
            assert account.hang().payload["errorType"] == "OutOfTimeError"
        for source, result in expected.items():
            invocation = account.invoke(source=source)
            assert invocation.payload.get("job_count", invocation.payload.get("errorType")) == result
            assert_only_about(invocation, source)
        invocation = account.invoke(source="/")  # an event without a usable source
        assert invocation.payload["errorType"] == "EventError"
        assert_only_about(invocation, None)
        used.append(account.process.open_files_and_threads())
    (warm_files, warm_threads), *_, (files, threads) = used
    # The connection of a run that failed is closed when the garbage collector frees the error's traceback.
    assert files <= warm_files + 3, used
    # A call of AWS that hangs stays in its thread until its time-out.
    assert threads <= warm_threads + 1, used


def assert_only_about(invocation: Invocation, source: str | None) -> None:
    """Fail if a line has another invocation, or the source, error or result of another one."""
    metrics, logged = parsed(invocation)
    assert all(line["Source"] == source for line in metrics)
    assert len(metrics) == len({line.get("Status") for line in metrics})
    ours = [line for line in logged if "service" in line]
    assert [line.get("source") for line in ours] == [source]
    assert {line.get("function_request_id", line.get("requestId")) for line in logged} == {invocation.request_id}
    assert all((line["level"] == "ERROR") == (invocation.outcome == "error") for line in ours)
