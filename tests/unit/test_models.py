"""The shutdown dates of models, in the forms of several servers."""

from typing import Any

import pytest
from snapshot import table
from snapshot.models import Models, shutdown_date

from tests.samples import job

BASE = "gpt-4o-mini-2024-07-18"
TUNED = f"ft:{BASE}:acme::x"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"shutdown_date": "2027-01-14"}, "2027-01-14"),
        ({"shutdown_date": "2027-01-14T23:00:00-05:00"}, "2027-01-15"),
        ({"shutdown_date": None}, ""),
        ({"shutdown_date": ""}, ""),
        ({}, None),
        ({"deprecation": {"fine_tune": 1_700_000_000, "inference": 1_800_000_000}}, "2027-01-15"),
        ({"deprecation": {"inference": None}}, ""),
        ({"deprecation": "2027-01-14T00:00:00Z"}, "2027-01-14"),
        ({"deprecation": None}, ""),
        ({"shutdown_date": None, "deprecation": {"inference": 1_800_000_000}}, "2027-01-15"),
        ({"shutdown_date": "20270114"}, "2027-01-14"),
        ({"deprecation": {"fine_tune": 1_800_000_000}}, None),
    ],
)
def test_shutdown_date(entry: dict[str, Any], expected: str | None) -> None:
    assert shutdown_date(entry) == expected


@pytest.mark.parametrize("entry", [{"shutdown_date": "soon"}, {"shutdown_date": {"d": 1}}, {"deprecation": True}])
def test_invalid_date_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a date"):
        shutdown_date(entry)


@pytest.mark.parametrize(
    ("dates", "model", "fine_tuned_model", "expected"),
    [
        ({TUNED: "2027-01-01", BASE: "2027-02-02"}, BASE, TUNED, "2027-01-01"),
        ({TUNED: "", BASE: "2027-02-02"}, BASE, TUNED, "2027-02-02"),
        ({BASE: "2027-02-02", "gpt-4o-mini": ""}, "gpt-4o-mini", TUNED, "2027-02-02"),
        ({BASE: "2027-02-02"}, f"ft:{BASE}:acme::older", "own-name", "2027-02-02"),
        ({"gpt-35-turbo": "2027-03-03"}, "gpt-35-turbo", "gpt-35-turbo.ft-123", "2027-03-03"),
        ({BASE: ""}, BASE, TUNED, ""),
        ({BASE: None}, BASE, TUNED, "2026-12-31"),  # the last known date
        ({}, BASE, TUNED, "2026-12-31"),
        ({BASE: "2027-02-02"}, BASE, "", ""),
    ],
)
def test_shutdown_date_is_the_model_s_own_or_its_base_model_s(
    dates: dict[str, str | None], model: str, fine_tuned_model: str, expected: str
) -> None:
    models = Models({name.encode(): None if date is None else date.encode() for name, date in dates.items()})
    known = job(id="a", status="succeeded", model=model, fine_tuned_model=fine_tuned_model, shutdown_date="2026-12-31")
    line = models.dated(table.to_line(known))
    assert table.from_line(line) == known._replace(shutdown_date=expected)


@pytest.mark.parametrize(
    ("dates", "expected"), [([], False), ([None], False), ([None, b""], True), ([b"2030-01-01"], True)]
)
def test_models_have_dates_if_one_has_a_date(dates: list[bytes | None], expected: bool) -> None:
    assert Models({b"%d" % number: date for number, date in enumerate(dates)}).has_dates == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (b"gpt-4o", False),
        (b"ft:gpt-4o:acme::abc", True),
        (b"gpt-4o-mini-2024-07-18.ft-0e208cf33a6a466994aff31a08aba678", True),
    ],
)
def test_fine_tuned_models_are_listed_under_the_names_of_openai_or_azure(model: bytes, expected: bool) -> None:
    assert Models({b"davinci-002": None, model: None}).list_fine_tuned == expected
