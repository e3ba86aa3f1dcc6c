"""The state of a stack's parts, read from AWS with few calls; one function for each kind of part."""

import io
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from snapshot import table
from snapshot.statuses import meaning

from operations import log_lines, logs
from operations.latest import newest
from operations.stack import Stack

CALLS_AT_ONCE = 10  # with one client: as many as it has connections


class Snapshot(NamedTuple):
    """The newest table of a source; `jobs` counts by status, and is None if the table cannot be read.

    `time` is the snapshot's; `written` may be later, because a retried run keeps the time of its first attempt.
    """

    time: datetime
    written: datetime
    jobs: Counter[str] | None


class Schedule(NamedTuple):
    """One of the two schedules of a source; `full` is the daily one."""

    name: str
    source: str
    full: bool
    expression: str
    timezone: str
    enabled: bool


class Alarm(NamedTuple):
    """An alarm; `source` is empty for the alarm of the whole stack. Only SnapshotMissing alarms without data."""

    name: str
    source: str
    state: str
    since: datetime
    reason: str
    description: str
    actions_enabled: bool
    alarms_without_data: bool


class Secret(Enum):
    """Whether a run can read a source's secret, and if not, why."""

    USABLE = "has a value"
    MISSING = "does not exist"
    DELETED = "is scheduled for deletion"
    EMPTY = "has no value"


class Subscriber(NamedTuple):
    """A subscriber of the topic. The endpoint may hold a key, unless the protocol is `email`."""

    protocol: str
    endpoint: str
    confirmed: bool


def snapshot(s3: Any, deployed: Stack, source: str) -> Snapshot | None:
    """Return the newest table of a source, or None; one response, so that age and counts are of the same table."""
    response = newest(s3, deployed, source)
    if response is None:
        return None
    written = response["LastModified"]
    try:
        time = datetime.fromisoformat(response["Metadata"]["snapshot-time"])
    except (KeyError, ValueError):  # somebody has copied the table without its metadata
        time = written
    try:
        lines, _ = table.from_file(io.BytesIO(response["Body"].read()))
    except ValueError:
        return Snapshot(time, written, None)
    return Snapshot(time, written, Counter(meaning(table.status(line)) for line in lines))


def schedules(scheduler: Any, group: str) -> list[Schedule]:
    """Return all schedules of the stack."""

    def read(name: str) -> Schedule:
        schedule = scheduler.get_schedule(GroupName=group, Name=name)
        event = json.loads(schedule["Target"]["Input"])
        return Schedule(
            name,
            event["source"],
            event.get("full", False),
            schedule["ScheduleExpression"],
            schedule["ScheduleExpressionTimezone"],
            schedule["State"] == "ENABLED",
        )

    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    names = [schedule["Name"] for page in pages for schedule in page["Schedules"]]
    # Not in the caller's pool: there, a call that waits for others could take the place that they need.
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        return list(pool.map(read, names))


def alarms(cloudwatch: Any, topic: str) -> list[Alarm]:
    """Return all alarms that send to the topic."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(ActionPrefix=topic)
    return [
        Alarm(
            alarm["AlarmName"],
            {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}.get("Source", ""),
            alarm["StateValue"],
            alarm["StateTransitionedTimestamp"],
            alarm["StateReason"],
            alarm.get("AlarmDescription", ""),
            alarm["ActionsEnabled"],
            alarm["TreatMissingData"] == "breaching",
        )
        for page in pages
        for alarm in page["MetricAlarms"]
    ]


def subscribers(sns: Any, topic: str) -> list[Subscriber]:
    """Return the subscribers of the topic, without those that have unsubscribed."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [
        Subscriber(
            subscription["Protocol"],
            subscription["Endpoint"],
            subscription["SubscriptionArn"] != "PendingConfirmation",
        )
        for page in pages
        for subscription in page["Subscriptions"]
        if subscription["SubscriptionArn"] != "Deleted"
    ]


def secret(secrets: Any, name: str) -> Secret:
    """Return the state of a secret, from its description: its value is not read."""
    try:
        description = secrets.describe_secret(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        return Secret.MISSING
    if "DeletedDate" in description:
        return Secret.DELETED
    stages = description.get("VersionIdsToStages", {}).values()
    return Secret.USABLE if any("AWSCURRENT" in names for names in stages) else Secret.EMPTY


def last_errors(client: Any, group: str, now: datetime) -> dict[str, log_lines.Entry]:
    """Return the last error of each source in the last day; an unknown source has the empty name."""
    return {entry.source: entry for entry in logs.read(client, group, now - timedelta(days=1), "ERROR")}
