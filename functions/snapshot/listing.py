"""From the API and the previous table to the table now, with what no page of jobs has: last changes and shutdowns."""

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

_EARLY_EVENT_CALLS = MAX_AT_ONCE - 2  # beside the first page and the models: more would not come sooner


class Listing(NamedTuple):
    """The table's lines, newest job first; whether every page was read; what the API says of its models."""

    lines: list[Line]
    full: bool
    models: Models


def list_jobs(client: Client, previous: Sequence[Line], *, full: bool) -> Listing:
    """Every job that the API gives, with what the lines of the `previous` table know beyond it; raises ApiError.

    With `full` every page is read, whatever the previous table says.
    """
    before, events = PreviousTable(previous), NewestEvents(client)
    # What is probably needed is asked for beside the first page. What comes of it is looked at only if it is needed.
    early_models = fine_tuning.models(client) if _has_model(previous) else None
    if client.paging == "after":  # servers that page otherwise say themselves when a job has changed
        events.ask(islice(before.active(), _EARLY_EVENT_CALLS))
    lines, is_full = _lines(client, before, events, full=full)
    models = _models(early_models or fine_tuning.models(client)) if _has_model(lines) else NO_MODELS
    for index, line in enumerate(lines):  # in place: a long table is not to be held twice
        lines[index] = models.dated(line)
    return Listing(lines, is_full, models)


def _lines(client: Client, before: PreviousTable, events: NewestEvents, *, full: bool) -> tuple[list[Line], bool]:
    """The lines but for their shutdown dates; whether every page was read."""
    jobs = read(client, before, full=full)
    if jobs.odd_fields:
        fields = Counter(field for names in jobs.odd_fields.elements() for field in names)
        logger.warning(
            "Some fields have a wrong type; their columns stay empty",
            extra={"jobs": jobs.odd_fields.total(), "fields": fields},
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
    """Give jobs without `updated_at` the time of their newest event, or the one known before, or their creation."""
    undated = [
        (job_id, lines) for lines in tables for job_id, line in lines.items() if not table.field(line, table.UPDATED_AT)
    ]
    undated.sort(key=lambda found: table.created_at(found[1][found[0]]), reverse=True)
    # A job that has ended meanwhile may have done so after its newest event was asked for.
    events.ask(job_id for job_id, lines in undated if not (job_id in events and table.is_active(lines[job_id])))
    times = events.times(job_id for job_id, _ in undated)
    failures = [outcome for outcome in times.values() if isinstance(outcome, ApiError)]
    if failures:
        logger.warning(
            "The newest event of some jobs cannot be read; their updated_at stays",
            extra={"jobs": len(failures), "cause": str(failures[0])},
        )
    for job_id, lines in undated:
        job = table.from_line(lines[job_id])
        outcome = times.get(job_id)
        known = before.find(job)
        known_time = table.from_line(known).updated_at if known else ""
        updated_at = (outcome if isinstance(outcome, str) else "") or known_time or job.created_at
        line = table.to_line(job._replace(updated_at=updated_at))
        lines[job_id] = known if known == line else line  # the same object, as in PreviousTable.merged


def _has_model(lines: Sequence[Line]) -> bool:
    """Whether any job has made a model: if none has, the API's models are not asked for."""
    return any(table.field(line, table.FINE_TUNED_MODEL) for line in lines)


def _models(asked: Callable[[], Models]) -> Models:
    """What the API says of its models; nothing if they cannot be read."""
    try:
        models = asked()
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
