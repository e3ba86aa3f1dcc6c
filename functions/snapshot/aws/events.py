"""Changes as EventBridge events: their format, and their delivery, at least once."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from snapshot import aws
from snapshot.changes import Changes, JobChange, ShutdownChange
from snapshot.deadline import Deadline
from snapshot.errors import SnapshotError

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    Refusal = tuple[PutEventsRequestEntryTypeDef, str]  # an entry, and the reason

SOURCE = "fine-tuning.snapshots"
JOB_CHANGED = "Fine-Tuning Job State Change"
SHUTDOWN_ANNOUNCED = "Fine-Tuned Model Shutdown Announced"

# Limits of PutEvents: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
_MAX_ENTRIES = 10
_MAX_BYTES = 256_000
# These two keep every event below the limit: 23 texts of 1,024 characters are at most 141,312 bytes, because a
# character needs up to 6 (a control as \u0000). AWS counts the Detail in UTF-8 and some hundred bytes of names:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
_MODELS_NAMED = 20
_MAX_TEXT = 1024
_SUBJECTS_NAMED = 5  # in an error message
_ATTEMPTS = 5
_FIRST_WAIT_SECONDS = 0.2


class EventContext(NamedTuple):
    """What all events of a run share: the snapshot's source and key, the function's ARN, and the name of the bus."""

    source: str
    key: str
    function_arn: str
    bus: str


def send(context: EventContext, changes: Changes, deadline: Deadline) -> None:
    """Send every change as an event, and retry those that EventBridge refuses.

    Raises SnapshotError at the `deadline`, or if EventBridge refuses some in every attempt; all others are then sent.
    """
    details = [(JOB_CHANGED, _job_detail(context, change)) for change in changes.jobs]
    details += [(SHUTDOWN_ANNOUNCED, _shutdown_detail(context, change)) for change in changes.shutdowns]
    entries = [_entry(context, detail_type, detail) for detail_type, detail in details]
    refused: list[Refusal] = []
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
        refused = [refusal for batch in _batches(entries) for refusal in _put(batch, context.bus, deadline)]
        entries = [entry for entry, _ in refused]
        if not entries:
            return
    names = ", ".join(map(_subject, entries[:_SUBJECTS_NAMED])) + (", …" if len(entries) > _SUBJECTS_NAMED else "")
    raise SnapshotError(f"EventBridge refuses {len(entries)} of the changes: {refused[0][1]} ({names})")


def _job_detail(context: EventContext, change: JobChange) -> dict[str, Any]:
    job = change.job
    return {
        "snapshot_source": context.source,
        "job_id": job.id,
        "model": job.model,
        "fine_tuned_model": job.fine_tuned_model,
        "status": change.status,
        "previous_status": change.previous_status,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "error": job.error,
        "snapshot_key": context.key,
    }


def _shutdown_detail(context: EventContext, change: ShutdownChange) -> dict[str, Any]:
    return {
        "snapshot_source": context.source,
        "model": change.model,
        "shutdown_date": change.shutdown_date,
        "previous_shutdown_date": change.previous_shutdown_date,
        "fine_tuned_models": change.fine_tuned_models[:_MODELS_NAMED],
        "fine_tuned_model_count": len(change.fine_tuned_models),
        "snapshot_key": context.key,
    }


def _safe(value: Any) -> Any:
    """Return a value of a detail with its texts shortened, and without quotation marks and backslashes.

    EventBridge escapes nothing in a rule's quoted message. The snapshot keeps the texts unchanged.
    """
    if isinstance(value, list):
        return [_safe(item) for item in value]
    return value[:_MAX_TEXT].replace("\\", "/").replace('"', "'") if isinstance(value, str) else value


def _entry(context: EventContext, detail_type: str, detail: dict[str, Any]) -> "PutEventsRequestEntryTypeDef":
    return {
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps({name: _safe(value) for name, value in detail.items()}, ensure_ascii=False),
        # The rules of a stack match this, so that they ignore the events of another stack on the same bus.
        "Resources": [context.function_arn],
        "EventBusName": context.bus,
    }


def _batches(entries: Sequence["PutEventsRequestEntryTypeDef"]) -> Iterator[list["PutEventsRequestEntryTypeDef"]]:
    batch: list[PutEventsRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        bytes_more = len(json.dumps(entry, ensure_ascii=False).encode())  # slightly more than AWS counts
        if batch and (len(batch) == _MAX_ENTRIES or size + bytes_more > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += bytes_more
    if batch:
        yield batch


def _put(batch: list["PutEventsRequestEntryTypeDef"], bus: str, deadline: Deadline) -> list["Refusal"]:
    """Send a batch and return what EventBridge refuses of it. botocore retries a call that fails."""
    if deadline.is_over:
        raise SnapshotError("No time is left to send all changes.")
    with aws.naming(f"The changes cannot be sent: PutEvents on the bus {bus}"):
        response = aws.events_client().put_events(Entries=batch)
        results = response["Entries"]
        if len(results) != len(batch):
            raise ValueError(f"{len(results)} results for {len(batch)} events")
        refused = [
            (entry, f"{result.get('ErrorCode', 'neither code nor EventId')}: {result.get('ErrorMessage', '-')}")
            for entry, result in zip(batch, results, strict=True)
            if "EventId" not in result
        ]
        if response.get("FailedEntryCount", 0) > len(refused):
            raise ValueError(f"{response['FailedEntryCount']} failures, but only {len(refused)} in the results")
        return refused


def _subject(entry: "PutEventsRequestEntryTypeDef") -> str:
    """Return the job's id or the model that an entry is about."""
    detail = json.loads(entry["Detail"])
    return str(detail.get("job_id") or detail["model"])
