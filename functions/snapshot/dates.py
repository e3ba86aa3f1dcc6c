"""The two columns that a payload alone cannot fill: when a job last changed, and when its model ends."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from snapshot import fine_tuning_api, table
from snapshot.errors import ApiError
from snapshot.job import TERMINAL, Job, base_model
from snapshot.previous import Rows
from snapshot.telemetry import logger
from snapshot.transport import Transport

MAX_EVENT_CALLS = 100  # a run

_MODEL, _FINE_TUNED_MODEL, _SHUTDOWN_DATE = (
    Job._fields.index(column) for column in ("model", "fine_tuned_model", "shutdown_date")
)


class FreshLines:
    """The lines of the jobs that were read, by id and in the API's order; some without their `updated_at` as yet."""

    def __init__(self, rows: Rows) -> None:
        self.lines: dict[str, bytes] = {}
        self._rows = rows
        self._undated: dict[str, Job] = {}

    def keep(self, job: Job) -> None:
        """Add a job, or replace it."""
        before = self._rows.find(job)
        if before:
            job = _with_what_was_known(job, table.from_line(before))
        line = table.to_line(job)
        # The same object if nothing changed: so a long table is not held twice.
        self.lines[job.id] = before if before == line else line
        if job.updated_at:
            self._undated.pop(job.id, None)
        else:
            self._undated[job.id] = job

    def fill_updated_at(self, transport: Transport) -> None:
        """Give jobs without `updated_at` the time of their newest event, or the one known before, or their creation."""
        jobs = sorted(self._undated.values(), key=lambda job: job.created_at, reverse=True)
        asked = [job.id for job in jobs[:MAX_EVENT_CALLS]]
        times = fine_tuning_api.newest_event_times(transport, asked) if asked else {}
        failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
        if failures:
            logger.warning(
                "The newest event of some jobs cannot be read; their updated_at stays",
                extra={"jobs": len(failures), "cause": str(failures[0])},
            )
        for job in jobs:
            outcome = times.get(job.id)
            before = self._rows.find(job)
            known = table.from_line(before).updated_at if before else ""
            updated_at = (outcome if isinstance(outcome, str) else "") or known or job.created_at
            self.lines[job.id] = table.to_line(job._replace(updated_at=updated_at))


def fill_shutdown_dates(transport: Transport, lines: list[bytes]) -> Collection[bytes]:
    """Bring the models' announced ends into `lines`; where the API does not say, the last known date stays.

    Returns the ids of all models that the API lists; none are asked for if no job has made one.
    """
    if not any(line.split(b"\t", _FINE_TUNED_MODEL + 1)[_FINE_TUNED_MODEL] for line in lines):
        return ()
    try:
        ends = fine_tuning_api.shutdown_dates(transport)
    except ApiError as error:
        logger.warning(
            "The models' shutdown dates cannot be read; the last known ones stay", extra={"cause": str(error)}
        )
        return ()
    if not any(end is not None for end in ends.values()):
        logger.warning("The API's models have no shutdown_date; the last known ones stay")
    for index, line in enumerate(lines):
        fields = line.split(b"\t", _SHUTDOWN_DATE + 1)
        end = _end(ends, fields[_MODEL], fields[_FINE_TUNED_MODEL])
        if end is not None and end != fields[_SHUTDOWN_DATE]:
            fields[_SHUTDOWN_DATE] = end
            lines[index] = b"\t".join(fields)
    return ends.keys()


def _end(ends: Mapping[bytes, bytes | None], model: bytes, fine_tuned_model: bytes) -> bytes | None:
    """The announced end of a fine-tuned model, else of its base; empty if none is announced, None if nobody says."""
    if not fine_tuned_model:
        return b""
    own, base = ends.get(fine_tuned_model), ends.get(_base(model))
    return own if own or base is None else base


@lru_cache
def _base(model: bytes) -> bytes:
    return base_model(model.decode()).encode()


def _with_what_was_known(job: Job, before: Job) -> Job:
    if job.fine_tuned_model == before.fine_tuned_model:
        job = job._replace(shutdown_date=before.shutdown_date)
    # A time that equals created_at was only a stand-in.
    if (
        not job.updated_at
        and job.status in TERMINAL
        and job.status == before.status
        and before.updated_at > job.created_at
    ):
        job = job._replace(updated_at=before.updated_at)
    return job
