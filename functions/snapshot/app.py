"""The run: secret, listing, dated snapshot, events, metrics, latest, in this order.

`latest` is written last, because the next run compares with it: what a failed run has not reported, the next one
reports. A partial listing is never written, counted or compared.
"""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from snapshot import changes, table, telemetry
from snapshot.api.client import Client
from snapshot.aws import events, secrets, snapshots
from snapshot.aws.events import EventContext
from snapshot.aws.snapshots import Latest, Snapshot
from snapshot.changes import Changes
from snapshot.counts import count
from snapshot.deadline import Deadline, time_limit
from snapshot.errors import SnapshotError
from snapshot.listing import list_jobs
from snapshot.settings import MAX_AHEAD, Run, Settings
from snapshot.summary import SkippedSummary, Summary
from snapshot.telemetry import logger

_MAX_ATTEMPTS = 10  # if other runs of the source replace `latest` meanwhile
# The parts of the invocation's time that are reserved: for all output after the listing, for latest after the events,
# and for the report of an error.
_OUTPUT_SECONDS = 60
_LATEST_SECONDS = 20
_REPORT_SECONDS = 5


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: Any, context: LambdaContext) -> Summary | SkippedSummary:
    """Take one snapshot; `Run.parse` describes the event. Raises SnapshotError, which says what was written."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000)
    written: list[str] = []
    run = None
    try:
        settings = Settings.from_environment()
        run = Run.parse(event)
        logger.append_keys(source=run.source, snapshot_time=run.timestamp)
        with time_limit(deadline.minus(_REPORT_SECONDS)):
            # Without a qualifier (version or alias): the stack's rules match the unqualified ARN.
            function_arn = ":".join(context.invoked_function_arn.split(":")[:7])
            summary = _take_snapshot(settings, run, deadline, function_arn, written)
    except SnapshotError as error:
        error.source = run.source if run else error.source
        error.consequence = _consequence(written)
        logger.error(str(error))  # no traceback: the sentence would be lost in it
        raise
    except Exception:
        logger.exception("The run failed with an unexpected error")
        raise
    message = "Run skipped: a newer snapshot exists" if "skipped" in summary else "Snapshot taken"
    logger.info(message, extra={**summary})
    return summary


def _take_snapshot(
    settings: Settings, run: Run, deadline: Deadline, function_arn: str, written: list[str]
) -> Summary | SkippedSummary:
    """Make the whole run; append the name of each output to `written`, for the message of a later error."""
    for _ in range(_MAX_ATTEMPTS):
        with secrets.reading(settings, run.source) as secret:
            previous = snapshots.read_latest(settings.bucket, run.source)
        if _is_newer(previous, run):
            return {
                "skipped": True,
                "source": run.source,
                "snapshot_time": run.timestamp,
                "latest_snapshot_time": f"{previous.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
        credentials = secret()
        with Client(credentials, deadline.minus(_OUTPUT_SECONDS)) as client:
            full = _must_be_full(run, previous, credentials.fingerprint)
            lines, is_full, models = list_jobs(client, previous.lines, full=full)
        # If another run has replaced `latest`, the changes since then differ, and its listing may be newer than ours.
        if not snapshots.is_unchanged(settings.bucket, run.source, previous):
            logger.info("Another run has replaced the latest snapshot meanwhile; listing again")
            continue
        counts = count(lines, previous.lines, run.time, models)
        del models  # possibly as many as jobs: free the memory before the table is written
        snapshot = Snapshot(run, lines, credentials.fingerprint)
        key = snapshots.write_dated(settings.bucket, snapshot)
        written.append("the dated snapshot")
        difference = _changes(previous, snapshot)
        context = EventContext(run.source, key, function_arn, settings.event_bus)
        events.send(context, difference, deadline.minus(_LATEST_SECONDS))
        written.append("all events")
        telemetry.emit(run, counts, difference.counts())
        written.append("the metrics")
        if snapshots.write_latest(settings.bucket, snapshot, previous):
            return {
                "source": run.source,
                "snapshot_time": run.timestamp,
                "job_count": counts.job_count,
                "jobs_by_status": counts.by_status,
                "changes": difference.counts(),
                "bucket": settings.bucket,
                "key": key,
                "full_listing": is_full,
                "api_requests": client.requests_made,
            }
    raise SnapshotError("Other runs of the source keep replacing its latest snapshot.")


def _is_newer(previous: Latest, run: Run) -> bool:
    """Return whether `latest` is newer than the run. A time in the future is ignored, or it would block all runs."""
    if previous.time - datetime.now(UTC) > MAX_AHEAD:
        logger.warning(
            "The latest snapshot's time lies in the future; ignoring it and replacing the snapshot",
            extra={"latest_snapshot_time": previous.time.isoformat()},
        )
        return False
    return run.time < previous.time


def _must_be_full(run: Run, previous: Latest, fingerprint: str) -> bool:
    """Return whether to read every page: on request, without a usable table, or for another key, account or server."""
    return run.full or not previous.can_be_carried or previous.fingerprint != fingerprint


def _changes(previous: Latest, snapshot: Snapshot) -> Changes:
    """Return the changes to report: none on the first snapshot of an account, where every job would be new."""
    if not previous.can_be_compared:
        return Changes()
    is_another_view = previous.fingerprint != snapshot.fingerprint
    if is_another_view and {*map(table.job_id, previous.lines)}.isdisjoint(map(table.job_id, snapshot.lines)):
        logger.warning("The key now shows another account, without any job of the previous table; reporting no changes")
        return Changes()
    return changes.diff(previous.lines, snapshot.lines)


def _consequence(written: list[str]) -> str:
    if not written:
        return "Nothing was written; the next run tries again."
    return f"Written before that: {', '.join(dict.fromkeys(written))}. The next run repeats what is missing."
