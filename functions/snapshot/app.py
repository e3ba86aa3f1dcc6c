"""The run: secret, listing, dated snapshot, events, metrics, latest, in this order.

`latest` comes last because it makes the next run forget the old state: what a run that dies has not told yet, the next
one tells. A partial listing is never written, counted or compared.
"""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from snapshot import changes, credentials, events, store, table, telemetry
from snapshot.changes import Changes
from snapshot.errors import ApiError, SnapshotError
from snapshot.events import Origin
from snapshot.listing import Listing, list_jobs
from snapshot.measures import measure
from snapshot.settings import Run, Settings
from snapshot.store import Latest, Snapshot
from snapshot.telemetry import logger
from snapshot.time_limit import time_limit
from snapshot.transport import Transport

_MAX_ATTEMPTS = 10  # while other runs of the source replace `latest`
# Of the invocation's time, kept for what follows: the effects after the listing, latest after the events, and the
# report of an error.
_EFFECTS_SECONDS = 60
_LATEST_SECONDS = 20
_REPORT_SECONDS = 5


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Take one snapshot; the event is that of `Run.parse`. Returns a summary, raises SnapshotError."""
    seconds = context.get_remaining_time_in_millis() / 1000
    end = time.monotonic() + seconds
    try:
        settings = Settings.from_environment()
        run = Run.parse(event)
        logger.append_keys(source=run.source, snapshot_time=run.timestamp)
        with time_limit(seconds - _REPORT_SECONDS):
            summary = _take_snapshot(settings, run, end, context.invoked_function_arn)
    except Exception:
        # Lambda tells the error too, but without the source.
        logger.exception("No snapshot was taken")
        raise
    logger.info("Snapshot taken", extra=summary)
    return summary


def _take_snapshot(settings: Settings, run: Run, end: float, function_arn: str) -> dict[str, Any]:
    for _ in range(_MAX_ATTEMPTS):
        previous = store.read_latest(settings.bucket, run.source)
        if previous and previous.time and run.time < previous.time:
            return {
                "skipped": True,
                "source": run.source,
                "snapshot_time": run.timestamp,
                "latest_snapshot_time": f"{previous.time:%Y-%m-%dT%H:%M:%SZ}",
            }
        with Transport(credentials.fetch(settings, run.source), end - _EFFECTS_SECONDS) as transport:
            lines, is_full, models = _list_with_fresh_key(settings, run, transport, previous)
        # Another run was here: what changed since its table is another matter, and it may have listed after us.
        if not store.is_unchanged(settings.bucket, run.source, previous):
            logger.info("Another run has replaced the latest snapshot meanwhile; listing again")
            continue
        measures = measure(lines, run.time, models)
        del models  # of which there may be as many as jobs; not to be held while the table is written
        snapshot = Snapshot(run, lines, transport.credentials.view, table.to_body(lines))
        key = store.write_dated(settings.bucket, snapshot)
        difference = _changes(previous, snapshot)
        events.put(Origin(run.source, key, function_arn, settings.event_bus), difference, end - _LATEST_SECONDS)
        telemetry.emit(run, measures, difference.counts())
        if store.write_latest(settings.bucket, snapshot, previous):
            return {
                "source": run.source,
                "snapshot_time": run.timestamp,
                "job_count": measures.job_count,
                "jobs_by_status": measures.by_status,
                "changes": difference.counts(),
                "bucket": settings.bucket,
                "key": key,
                "full_listing": is_full,
                "api_requests": transport.requests_made,
            }
    raise SnapshotError("Other runs of the source keep replacing its latest snapshot. The next run goes on.")


def _list_with_fresh_key(settings: Settings, run: Run, transport: Transport, previous: Latest | None) -> Listing:
    """List all jobs; if the API refuses the key, once more with the secret read again."""
    lines = previous.lines if previous and previous.lines else []
    try:
        return list_jobs(transport, lines, full=_must_be_full(run, previous, transport.credentials.view))
    except ApiError as error:
        if error.status != 401:
            raise
    logger.warning("The API refused the key; reading the secret again, in case it was rotated")
    transport.credentials = credentials.fetch(settings, run.source, past_cache=True)
    return list_jobs(transport, lines, full=_must_be_full(run, previous, transport.credentials.view))


def _must_be_full(run: Run, previous: Latest | None, view: str) -> bool:
    """Whether nothing can be carried over: asked for, a first or an unusable table, another key, account or server."""
    return run.full or previous is None or not previous.can_be_carried or previous.view != view


def _changes(previous: Latest | None, snapshot: Snapshot) -> Changes:
    """What the run has to tell: nothing on the first snapshot of an account, for then everything would be new."""
    if previous is None or previous.lines is None:
        return Changes()
    is_another_view = previous.view != snapshot.view
    if is_another_view and {*map(table.job_id, previous.lines)}.isdisjoint(map(table.job_id, snapshot.lines)):
        logger.warning("The key now shows another account, without any job of the one before; starting afresh")
        return Changes()
    return changes.between(previous.lines, snapshot.lines)
