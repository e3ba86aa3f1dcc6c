"""`make status`: prints the state of the deployed stack, its problems, and what to do about them."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from operations import alerts, findings, observation, stack
from operations.errors import run
from operations.findings import Finding, Problem
from operations.stack import Stack

_SERVICES = ("s3", "secretsmanager", "scheduler", "cloudwatch", "sns", "logs")
# SNS has a code of its own: https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
_DENIED_CODES = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
_LABEL = 12  # characters, with the space after it
_WIDEST = 100  # characters: longer lines are hard to read
_WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


class Denied(NamedTuple):
    """A call that this operator may not make."""

    operation: str


class Report(NamedTuple):
    """The findings on each source (its jobs last) and on each part of the stack, and the calls that AWS denied."""

    sources: dict[str, list[Finding]]
    parts: dict[str, Finding]
    denied: set[str]

    @property
    def problems(self) -> list[Problem]:
        """All problems, causes before effects."""
        rows = [finding for row in self.sources.values() for finding in row]
        return [problem for finding in (*rows, *self.parts.values()) for problem in finding.problems]


def main() -> None:
    """Print the report; exit with status 1 if there is a problem."""
    deployed = stack.deployed()
    report = examine(deployed, datetime.now(UTC))
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for line in screen(report, f"{deployed.name} in {deployed.region}", width):
        print(line)
    if report.problems:
        sys.stdout.flush()
        sys.exit(1)


def examine(deployed: Stack, now: datetime) -> Report:
    """Read everything from AWS concurrently, and return the findings."""
    names, outputs = deployed.sources, deployed.outputs
    # In this thread: https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    clients: dict[str, Any] = {name: deployed.session.client(name) for name in _SERVICES}  # type: ignore[call-overload]
    with ThreadPoolExecutor(observation.CALLS_AT_ONCE) as pool:

        def ask(call: Callable[..., Any], service: str, *args: Any) -> "Future[Any]":
            return pool.submit(_unless_denied, call, clients[service], *args)

        snapshots = {name: ask(observation.snapshot, "s3", deployed, name) for name in names}
        prefix = deployed.parameters["SecretPrefix"]
        secrets = {name: ask(observation.secret, "secretsmanager", prefix + name) for name in names}
        schedules = ask(observation.schedules, "scheduler", outputs["ScheduleGroup"])
        alarms = ask(observation.alarms, "cloudwatch", outputs["Topic"])
        subscribers = ask(observation.subscribers, "sns", outputs["Topic"])
        errors = ask(observation.last_errors, "logs", outputs["LogGroup"], now)
    denied: set[str] = set()

    def judge(subject: str, find: Callable[..., Finding], asked: "Future[Any]", *args: Any) -> Finding:
        if isinstance(observed := asked.result(), Denied):
            denied.add(observed.operation)
            return Finding(f"{subject} not read".strip())
        return find(observed, deployed, *args)

    results = {name: asked.result() for name, asked in snapshots.items()}
    written = {name: result.written for name, result in results.items() if isinstance(result, observation.Snapshot)}
    rows = {
        name: [
            judge("Snapshot", findings.of_snapshot, snapshots[name], name, now),
            judge("schedule", findings.of_schedules, schedules, name, now),
            judge("secret", findings.of_secret, secrets[name], name),
            judge("Jobs", findings.of_jobs, snapshots[name]),
        ]
        for name in names
    }
    parts = {
        "Stack": findings.of_stack(deployed),
        "Alarms": judge("", alerts.of_alarms, alarms, names, written),
        "Messages": judge("", alerts.of_subscribers, subscribers),
        "Last error": judge("", alerts.of_errors, errors, written, now),
    }
    return Report(rows, parts, denied)


def _unless_denied(call: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a call, or Denied."""
    try:
        return call(*args)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _DENIED_CODES:
            raise
        return Denied(error.operation_name)


def screen(report: Report, title: str, width: int) -> Iterator[str]:
    """Yield the lines of a report, wrapped at `width`, except commands: they stay whole, so that they can be copied."""
    yield f"{title}\n"
    for name, (*states, jobs) in report.sources.items():
        yield from _wrapped(name, ", ".join(state.text for state in states if state.text), width)
        yield from _wrapped("", jobs.text, width)
    yield ""
    for name, finding in report.parts.items():
        yield from _wrapped(name, finding.text, width)
    if report.denied:
        yield from _wrapped("Not read", f"You may not call {', '.join(sorted(report.denied))}.", width)
    yield ""
    if not report.problems:
        yield "All that you may read is well." if report.denied else "All is well."
        return
    yield "Needs attention:"
    for problem in report.problems:
        yield from textwrap.wrap(problem.what, width, initial_indent="- ", subsequent_indent="  ", **_WHOLE_WORDS)
        if problem.command:
            yield f"    {problem.command}"


def _wrapped(label: str, text: str, width: int) -> list[str]:
    begin = f"{label:<{_LABEL - 1}} "
    return textwrap.wrap(text, width, initial_indent=begin, subsequent_indent=" " * _LABEL, **_WHOLE_WORDS)


if __name__ == "__main__":
    run(main)
