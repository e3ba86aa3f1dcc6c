"""The new table, from the API's pages and the previous table, with `updated_at` and `shutdown_date` filled in."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from snapshot import table
from snapshot.api import fine_tuning
from snapshot.api.client import MAX_AT_ONCE, Client
from snapshot.api.fine_tuning import NewestEvents
from snapshot.errors import ApiError
from snapshot.models import NO_MODELS, Models
from snapshot.previous import PreviousTable
from snapshot.reading import read
from snapshot.table import Line
from snapshot.telemetry import logger

_EARLY_EVENT_CALLS = MAX_AT_ONCE - 2  # the other two are the first page and the models; more calls would have to wait


class Listing(NamedTuple):
    """The table's lines, newest job first; whether every page was read; the API's models."""

    lines: list[Line]
    full: bool
    models: Models


def list_jobs(client: Client, previous: Sequence[Line], *, full: bool) -> Listing:
    """Return all jobs of the API, completed with what only the `previous` table knows; raises ApiError.

    `full` reads every page, whatever the previous table has.
    """
    before, events = PreviousTable(previous), NewestEvents(client)
    # Request what the run will probably need together with the first page. An unneeded response is ignored.
    early_models = fine_tuning.models(client) if _has_model(previous) else None
    if client.paging == "after":  # servers with other paging send the time of a job's last change themselves
        events.ask(islice(before.active(), _EARLY_EVENT_CALLS))
    lines, is_full = _lines(client, before, events, full=full)
    models = _models(early_models or fine_tuning.models(client)) if _has_model(lines) else NO_MODELS
    for index, line in enumerate(lines):  # in place, so that a long table is not in memory twice
        lines[index] = models.dated(line)
    return Listing(lines, is_full, models)


def _lines(client: Client, before: PreviousTable, events: NewestEvents, *, full: bool) -> tuple[list[Line], bool]:
    """Return the lines, still without new shutdown dates, and whether every page was read."""
    jobs = read(client, before, full=full)
    if jobs.mistyped_fields:
        fields = Counter(field for names in jobs.mistyped_fields.elements() for field in names)
        logger.warning(
            "Some fields have a wrong type; their columns stay empty",
            extra={"jobs": jobs.mistyped_fields.total(), "fields": fields},
        )
    _fill_updated_at(events, before, jobs.listed, jobs.retrieved)
    lines = list(jobs.listed.values())
    if jobs.start is None:
        table.newest_first(lines)
    else:
        carried = before.lines[jobs.start :]
        changed = {job_id: line for job_id, line in jobs.retrieved.items() if line != before.known(job_id)}
        lines += [changed.get(table.job_id(line), line) for line in carried] if changed else carried
    return lines, jobs.start is None


def _fill_updated_at(events: NewestEvents, before: PreviousTable, *tables: dict[str, Line]) -> None:
    """Set a missing `updated_at` to the time of the job's newest event, else the last known time, else `created_at`."""
    undated = [
        (job_id, lines) for lines in tables for job_id, line in lines.items() if not table.field(line, table.UPDATED_AT)
    ]
    undated.sort(key=lambda found: table.created_at(found[1][found[0]]), reverse=True)
    # Request the event of an ended job again: the job may have ended after the first request.
    events.ask(job_id for job_id, lines in undated if not (job_id in events and table.is_active(lines[job_id])))
    times = events.times(job_id for job_id, _ in undated)
    failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
    if failures:
        logger.warning(
            "The newest event of some jobs cannot be read; their updated_at is kept",
            extra={"jobs": len(failures), "cause": str(failures[0])},
        )
    for job_id, lines in undated:
        job = table.from_line(lines[job_id])
        outcome = times.get(job_id)
        known = before.find(job)
        known_time = table.from_line(known).updated_at if known else ""
        updated_at = (outcome if isinstance(outcome, str) else "") or known_time or job.created_at
        line = table.to_line(job._replace(updated_at=updated_at))
        lines[job_id] = known if known == line else line  # reuse the object, as PreviousTable.merged does


def _has_model(lines: Sequence[Line]) -> bool:
    """Return whether any job has a fine-tuned model; without one, the API's models are not needed."""
    return any(table.field(line, table.FINE_TUNED_MODEL) for line in lines)


def _models(asked: Callable[[], Models]) -> Models:
    """Return the API's models; NO_MODELS if they cannot be read."""
    try:
        models = asked()
    except ApiError as error:
        logger.warning(
            "The models' shutdown dates cannot be read; the last known ones are kept", extra={"cause": str(error)}
        )
        return NO_MODELS
    if models.unreadable_entries:
        logger.warning("Some of the API's models cannot be read", extra={"models": models.unreadable_entries})
    elif not models.has_dates:
        logger.warning("The API's models have no shutdown_date; the last known ones are kept")
    return models
