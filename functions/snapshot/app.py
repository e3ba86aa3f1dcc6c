"""The run: secret, listing, dated snapshot, metrics, latest, in this order.

`latest` comes last because it makes the next run forget the old state: a run that dies before it is repeated in full
by the next one. A partial listing is never written or counted.
"""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from snapshot import credentials, store, telemetry
from snapshot.errors import ApiError
from snapshot.listing import Listing, list_jobs
from snapshot.measures import measure
from snapshot.settings import Run, Settings
from snapshot.store import Latest, Snapshot
from snapshot.telemetry import logger
from snapshot.transport import Transport

_UNAUTHORIZED = 401
_MARGIN_SECONDS = 15  # of the invocation's time, kept for what follows the listing


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Take one snapshot; the event is that of `Run.parse`. Returns a summary, raises SnapshotError."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    try:
        settings = Settings.from_environment()
        run = Run.parse(event)
        logger.append_keys(source=run.source, snapshot_time=run.timestamp)
        summary = _take_snapshot(settings, run, deadline)
    except Exception:
        # Lambda tells the error too, but without the source.
        logger.exception("No snapshot was taken")
        raise
    logger.info("Snapshot taken", extra=summary)
    return summary


def _take_snapshot(settings: Settings, run: Run, deadline: float) -> dict[str, Any]:
    previous = store.read_latest(settings.bucket, run.source)
    if previous and previous.time and run.time < previous.time:
        return {
            "skipped": True,
            "source": run.source,
            "snapshot_time": run.timestamp,
            "latest_snapshot_time": f"{previous.time:%Y-%m-%dT%H:%M:%SZ}",
        }
    with Transport(credentials.fetch(settings, run.source), deadline) as transport:
        listing = _list_jobs(settings, run, transport, previous)
    measures = measure(listing.lines, run.time, listing.models)
    snapshot = Snapshot.of(run, listing.lines, transport.credentials.view)
    key = store.write_dated(settings.bucket, run, snapshot)
    telemetry.emit(run, measures)
    store.write_latest(settings.bucket, run, snapshot, previous.etag if previous else None)
    return {
        "source": run.source,
        "snapshot_time": run.timestamp,
        "job_count": measures.job_count,
        "jobs_by_status": measures.by_status,
        "changes": {},
        "bucket": settings.bucket,
        "key": key,
        "full_listing": listing.full,
        "api_requests": transport.requests_made,
    }


def _list_jobs(settings: Settings, run: Run, transport: Transport, previous: Latest | None) -> Listing:
    lines = previous.lines or [] if previous else []
    try:
        return list_jobs(transport, lines)
    except ApiError as error:
        if error.status != _UNAUTHORIZED:
            raise
    logger.warning("The API refused the key; reading the secret again, in case it was rotated")
    transport.credentials = credentials.fetch(settings, run.source, past_cache=True)
    return list_jobs(transport, lines)
