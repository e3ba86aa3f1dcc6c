"""From the API and the previous table to the table now, with what no page of jobs has: last changes and shutdowns."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from snapshot import table
from snapshot.api import fine_tuning
from snapshot.api.client import Client
from snapshot.errors import ApiError
from snapshot.models import NO_MODELS, Models
from snapshot.previous import PreviousTable
from snapshot.reading import read
from snapshot.table import Line
from snapshot.telemetry import logger

MAX_EVENT_CALLS = 100  # a run


class Listing(NamedTuple):
    """The table's lines, newest job first; whether every page was read; what the API says of its models."""

    lines: list[Line]
    full: bool
    models: Models


def list_jobs(client: Client, previous: Sequence[Line], *, full: bool) -> Listing:
    """Every job that the API gives, with what the lines of the `previous` table know beyond it; raises ApiError.

    With `full` every page is read, whatever the previous table says.
    """
    lines, is_full = _lines(client, previous, full=full)
    models = _models(client, lines)
    for index, line in enumerate(lines):  # in place: a long table is not to be held twice
        lines[index] = models.dated(line)
    return Listing(lines, is_full, models)


def _lines(client: Client, previous: Sequence[Line], *, full: bool) -> tuple[list[Line], bool]:
    """The lines but for their shutdown dates; whether every page was read."""
    jobs = read(client, previous, full=full)
    if jobs.odd_fields:
        fields = Counter(field for names in jobs.odd_fields.elements() for field in names)
        logger.warning(
            "Some fields have a wrong type; their columns stay empty",
            extra={"jobs": jobs.odd_fields.total(), "fields": fields},
        )
    _fill_updated_at(client, jobs.before, jobs.listed, jobs.retrieved)
    lines = list(jobs.listed.values())
    if jobs.start is None:
        table.newest_first(lines)
    else:
        carried = previous[jobs.start :]
        changed = {job_id: line for job_id, line in jobs.retrieved.items() if line != jobs.before.known(job_id)}
        lines += [changed.get(table.job_id(line), line) for line in carried] if changed else carried
    return lines, jobs.start is None


def _fill_updated_at(client: Client, before: PreviousTable, *tables: dict[str, Line]) -> None:
    """Give jobs without `updated_at` the time of their newest event, or the one known before, or their creation."""
    undated = [
        (table.from_line(line), lines)
        for lines in tables
        for line in lines.values()
        if not table.field(line, table.UPDATED_AT)
    ]
    undated.sort(key=lambda found: found[0].created_at, reverse=True)
    asked = [job.id for job, _ in undated[:MAX_EVENT_CALLS]]
    times = fine_tuning.newest_event_times(client, asked) if asked else {}
    failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
    if failures:
        logger.warning(
            "The newest event of some jobs cannot be read; their updated_at stays",
            extra={"jobs": len(failures), "cause": str(failures[0])},
        )
    for job, lines in undated:
        outcome = times.get(job.id)
        known = before.find(job)
        known_time = table.from_line(known).updated_at if known else ""
        updated_at = (outcome if isinstance(outcome, str) else "") or known_time or job.created_at
        lines[job.id] = table.to_line(job._replace(updated_at=updated_at))


def _models(client: Client, lines: Sequence[Line]) -> Models:
    """What the API says of its models; nothing if no job has made one, or if it cannot be read."""
    if not any(table.field(line, table.FINE_TUNED_MODEL) for line in lines):
        return NO_MODELS
    try:
        models = fine_tuning.models(client)
    except ApiError as error:
        logger.warning(
            "The models' shutdown dates cannot be read; the last known ones stay", extra={"cause": str(error)}
        )
        return NO_MODELS
    if models.odd_entries:
        logger.warning("Some of the API's models cannot be read", extra={"models": models.odd_entries})
    elif not models.tell_dates:
        logger.warning("The API's models have no shutdown_date; the last known ones stay")
    return models
