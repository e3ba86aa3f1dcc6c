"""The counts of a table."""

from datetime import UTC, datetime
from typing import Any

import pytest
from snapshot import table
from snapshot.counts import count
from snapshot.job import parse
from snapshot.models import NO_MODELS, Models
from snapshot.table import Line

from tests.samples import payload

NOW = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)


def line(number: int, shutdown_date: str = "", **fields: Any) -> Line:
    return table.to_line(parse(payload(number, **fields)).job._replace(shutdown_date=shutdown_date))


def test_current_and_previous_statuses_are_counted_and_unknown_ones_are_other() -> None:
    statuses = ["running", "running", "paused", "succeeded", "melting", "frozen"]
    lines = [line(number, status=status) for number, status in enumerate(statuses)]
    previous = [line(number, status=status) for number, status in enumerate(("queued", "running", "canceled"))]
    counts = count(lines, previous, NOW, NO_MODELS)
    assert counts.job_count == 6
    assert counts.by_status == {"queued": 0, "running": 2, "paused": 1, "succeeded": 1, "cancelled": 0, "other": 2}
    assert count([], [], NOW, NO_MODELS).by_status == {}


def test_a_status_is_counted_as_what_it_means() -> None:
    lines = [line(number, status=status) for number, status in enumerate(("canceled", "CANCELLED", "in_progress"))]
    assert count(lines, [], NOW, NO_MODELS).by_status == {"running": 1, "cancelled": 2}


def test_age_is_that_of_the_oldest_active_job() -> None:
    at = int(NOW.timestamp())
    lines = [
        line(1, status="running", created_at=at - 60),
        line(2, status="queued", created_at=at - 3600),
        line(3, status="paused", created_at=at - 7200),
        line(4, status="succeeded", created_at=at - 9000),
    ]
    assert count(lines, [], NOW, NO_MODELS).oldest_active_age == 3600
    assert count(lines[::-1], [], NOW, NO_MODELS).oldest_active_age == 3600
    unknown = line(5, status="melting", created_at=at - 9000, finished_at=None)
    ended = line(6, status="frozen", created_at=at - 9999, finished_at=at)
    assert count([*lines, unknown, ended], [], NOW, NO_MODELS).oldest_active_age == 9000
    assert count(lines[2:], [], NOW, NO_MODELS).oldest_active_age == 0
    assert count([line(1, status="running", created_at=at + 60)], [], NOW, NO_MODELS).oldest_active_age == 0


@pytest.mark.parametrize(
    ("ends", "listed", "days"),
    [
        ({}, ["gpt-4o"], None),
        ({"ft:a": ""}, ["gpt-4o"], None),
        ({"ft:a": "2027-01-14"}, ["gpt-4o"], 53),
        ({"ft:a": "2027-01-14", "ft:b": "2026-11-23", "ft:c": "2026-11-21"}, ["gpt-4o"], 1),
        ({"ft:a": "2026-11-22"}, ["gpt-4o"], 0),
        ({"ft:a": "2026-11-21"}, ["gpt-4o"], None),
        ({"ft:a": "2026-12-02", "ft:b": "2026-11-23"}, ["gpt-4o", "ft:a"], 10),
        ({"ft:a": "2026-12-02"}, ["gpt-4o"], 10),
        ({"ft:a": "2026-12-02", "ft:b": "soon"}, ["gpt-4o"], 10),
    ],
)
def test_days_to_the_first_shutdown(ends: dict[str, str], listed: list[str], days: int | None) -> None:
    lines = [line(number, end, fine_tuned_model=model) for number, (model, end) in enumerate(ends.items())]
    assert count(lines, [], NOW, Models({model.encode(): None for model in listed})).days_to_shutdown == days


def test_no_days_to_a_shutdown_are_counted_if_the_models_could_not_be_read() -> None:
    assert count([line(1, "2026-12-02", fine_tuned_model="ft:a")], [], NOW, NO_MODELS).days_to_shutdown is None
