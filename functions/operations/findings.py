"""Findings on a stack and its sources: their state, and the problems that need attention."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from snapshot.statuses import KNOWN_STATUSES

from operations.observation import Schedule, Secret, Snapshot
from operations.schedules import in_words, next_run
from operations.stack import Stack
from operations.states import FAILURES, is_in_progress, repair_command


class Problem(NamedTuple):
    """A problem that needs attention, and the command that helps, if there is one."""

    what: str
    command: str = ""


class Finding(NamedTuple):
    """The text that is shown for a part of the stack, and its problems."""

    text: str
    problems: Sequence[Problem] = ()


def of_stack(deployed: Stack) -> Finding:
    """Return the finding on the stack's own status."""
    failure = FAILURES.get(deployed.status)
    if failure is None:
        return Finding(deployed.status)
    what = f"The stack is in {deployed.status}: {failure.what}."
    if is_in_progress(deployed.status):
        return Finding(deployed.status, [Problem(f"{what} Wait until that has ended.")])
    command = repair_command(deployed)
    if command:
        what += " No deployment is possible until this command has succeeded:"
    return Finding(deployed.status, [Problem(what, command or deployed.command("deploy"))])


def of_snapshot(newest: Snapshot | None, deployed: Stack, source: str, now: datetime) -> Finding:
    """Return the finding on the age of a source's newest snapshot."""
    if newest is None:
        command = deployed.command("invoke", SOURCE=source)
        return Finding("No snapshot", [Problem(f"There is no snapshot of {source} yet.", command)])
    hours = int(deployed.parameters["SnapshotMissingHours"])
    text = age(newest.time, now)
    problems = []
    if deployed.parameters["ScheduleState"] == "ENABLED" and now - newest.time > timedelta(hours=hours):
        what = f"The newest snapshot of {source} was taken {text}, which is over SnapshotMissingHours ({hours})."
        problems = [Problem(what, deployed.command("logs", LEVEL="ERROR"))]
    return Finding(f"Snapshot {text}", problems)


def of_jobs(newest: Snapshot | None, _deployed: Stack) -> Finding:
    """Return the finding on a source's jobs by status."""
    if newest is None:
        return Finding("")
    if newest.jobs is None:  # not a problem: the next run lists everything, and replaces the table
        return Finding("a table that cannot be read")
    statuses = [*KNOWN_STATUSES, *sorted({*newest.jobs} - {*KNOWN_STATUSES})]
    counts = ", ".join(f"{newest.jobs[status]} {status}" for status in statuses if newest.jobs[status])
    return Finding(f"{newest.jobs.total()} jobs{': ' if counts else ''}{counts}")


def of_schedules(schedules: Iterable[Schedule], deployed: Stack, source: str, now: datetime) -> Finding:
    """Return the finding on a source's schedules, and when it runs next."""
    own = [schedule for schedule in schedules if schedule.source == source]
    console = f"https://{deployed.region}.console.aws.amazon.com/scheduler/home?region={deployed.region}#schedules"
    problems = [
        Problem(f"The schedule {schedule.name} is disabled, though ScheduleState is ENABLED. Enable it here:", console)
        for schedule in own
        if not schedule.enabled and deployed.parameters["ScheduleState"] == "ENABLED"
    ]
    if {schedule.full for schedule in own} != {True, False}:
        # CloudFormation does not notice that a resource was deleted by hand.
        what = f"A schedule of {source} is missing. Deploy the stack without the source in Sources, then with it again:"
        problems.append(Problem(what, deployed.command("deploy")))
    enabled = [schedule for schedule in own if schedule.enabled]
    regular = next((schedule for schedule in enabled if not schedule.full), None)
    if regular is None:
        return Finding("schedule DISABLED", problems)
    times = {schedule: next_run(schedule.expression, schedule.timezone, now) for schedule in enabled}
    if times[regular] is None:
        return Finding(f"runs {in_words(regular.expression, regular.timezone)}", problems)
    return Finding(f"next run at {min(filter(None, times.values())):%H:%M} UTC", problems)


def of_secret(secret: Secret, deployed: Stack, source: str) -> Finding:
    """Return the finding on a source's secret; its text is always empty."""
    if secret is Secret.USABLE:
        return Finding("")
    name = deployed.parameters["SecretPrefix"] + source
    command = deployed.command("secret", SOURCE=source)
    if secret is Secret.DELETED:  # until it is restored, no value can be stored
        command = f"aws secretsmanager restore-secret --region {deployed.region} --secret-id {name}"
    return Finding("", [Problem(f"The secret {name} {secret.value}.", command)])


def age(time: datetime, now: datetime) -> str:
    """Return how long ago a time is, in days, hours or minutes."""
    minutes = int((now - time).total_seconds() // 60)
    for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= 2 * length or (minutes >= length and unit == "minute"):
            count = minutes // length
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"
