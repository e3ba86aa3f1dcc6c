"""Findings on a stack's alarms, on the subscribers of their messages, and on the errors in its log."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote

from operations.findings import Finding, Problem, age
from operations.log_lines import Entry, plain
from operations.observation import Alarm, Subscriber
from operations.stack import Stack

# A source's alarms get data within minutes after its first snapshot. Until then SnapshotMissing is in ALARM.
_SETTLED_WITHIN = timedelta(hours=1)
_MESSAGE_SHOWN = 300  # characters


def of_alarms(
    alarms: Sequence[Alarm], deployed: Stack, sources: Iterable[str], written: Mapping[str, datetime]
) -> Finding:
    """Return the finding on the alarms; `written` is the time of each source's newest snapshot."""
    problems: list[Problem] = []
    states: Counter[str] = Counter()
    for alarm in alarms:
        newest = written.get(alarm.source) if alarm.source else max(written.values(), default=None)
        after = newest - alarm.since if newest else timedelta(0)  # time from the alarm's last change to the snapshot
        is_settling = alarm.alarms_without_data and timedelta(0) < after < _SETTLED_WITHIN
        states["settling" if alarm.state == "ALARM" and is_settling else alarm.state] += 1
        if alarm.state == "ALARM" and not is_settling:
            what = f"{alarm.name} has been in ALARM since {alarm.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            problems.append(Problem(f"{what} ({alarm.reason.rstrip('.')}). {alarm.description}"))
        if alarm.state == "INSUFFICIENT_DATA" and after > _SETTLED_WITHIN:
            what = f"{alarm.name} has no data although there are snapshots: CloudWatch gets no metrics from the log."
            problems.append(Problem(f"{what} The function must log as in the template, in JSON and without a level."))
        if not alarm.actions_enabled:
            command = (
                f"aws cloudwatch enable-alarm-actions --region {deployed.region} --alarm-names {quote(alarm.name)}"
            )
            problems.append(Problem(f"The actions of {alarm.name} are disabled: it sends no message.", command))
    problems += [
        Problem(f"No alarm of {source} sends a message.", deployed.command("deploy"))
        for source in sources
        if source not in {alarm.source for alarm in alarms}
    ]
    return Finding(", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none", problems)


def of_subscribers(subscribers: Sequence[Subscriber], deployed: Stack) -> Finding:
    """Return the finding on the subscribers of the messages, and on the stack's own address."""
    address, topic = deployed.parameters["NotificationEmail"], deployed.outputs["Topic"]
    resend = (
        f"aws sns subscribe --region {deployed.region} --topic-arn {topic} --protocol email --notification-endpoint"
    )
    problems = [
        Problem(
            f"{subscriber.endpoint} has not confirmed and gets no message: follow the link in the mail with the "
            "subject AWS Notification - Subscription Confirmation. If the mail is lost, this command sends another:",
            f"{resend} {quote(subscriber.endpoint)}",
        )
        for subscriber in subscribers
        if subscriber.protocol == "email" and not subscriber.confirmed
    ]
    if address and address not in {subscriber.endpoint for subscriber in subscribers}:
        what = f"{address} is no longer subscribed. This command subscribes it again:"
        problems.append(Problem(what, f"{resend} {quote(address)}"))
    names = [s.endpoint if s.protocol == "email" else s.protocol for s in subscribers if s.confirmed]
    return Finding(", ".join(names) or "no confirmed subscriber", problems)


def of_errors(errors: Mapping[str, Entry], deployed: Stack, written: Mapping[str, datetime], now: datetime) -> Finding:
    """Return the finding on the last error. An error is a problem until its source has a later snapshot.

    If the source is not known, all sources must have one.
    """
    problems = []
    for source, entry in errors.items():
        newest = written.get(source) if source else min(written.values(), default=None)
        if newest is None or newest < entry.time.replace(microsecond=0):  # S3's times are whole seconds
            what = (
                f"A run{f' of {source}' if source else ''} failed {age(entry.time, now)}, and none has succeeded since."
            )
            problems.append(Problem(what, deployed.command("logs", LEVEL="ERROR")))
    if not errors:
        return Finding("none in the last day")
    last = max(errors.values(), key=lambda entry: entry.time)
    message = plain(last.message)
    message = message if len(message) <= _MESSAGE_SHOWN else f"{message[:_MESSAGE_SHOWN]}..."
    return Finding(f"{age(last.time, now)}{f', {last.source}' if last.source else ''}: {message}", problems)
