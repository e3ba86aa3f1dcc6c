"""The meaning of a status, in the words of several servers."""

import pytest
from snapshot import table
from snapshot.statuses import _SYNONYMS, ACTIVE, KNOWN_STATUSES, TERMINAL, meaning

from tests.samples import job


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, status) for status in KNOWN_STATUSES),
        *((word, "succeeded") for word in ("SUCCESS", "completed", "Succeeded")),
        *((word, "failed") for word in ("FAILED_VALIDATION", "failed-validation", "Failed")),
        *((word, "cancelled") for word in ("canceled", "CANCELLED")),
        *((word, "cancelling") for word in ("canceling", "cancellation_requested", "CANCELLATION_REQUESTED")),
        *((word, "validating_files") for word in ("validating", "Validating Files", "validating-files")),
        *((word, "queued") for word in ("validated", "QUEUED")),
        *((word, "running") for word in ("started", "in_progress", "In-Progress", "resuming")),
        *((word, "pending") for word in ("notRunning", "not_running", "not running")),
        *((word, "created") for word in ("create", "creating")),
        ("Melting Down", "melting_down"),
    ],
)
def test_synonyms_have_one_meaning(status: str, expected: str) -> None:
    assert meaning(status) == expected


@pytest.mark.parametrize(("status", "synonym"), [(status, word) for status in _SYNONYMS for word in _SYNONYMS[status]])
def test_synonym_is_found_and_has_one_meaning(status: str, synonym: str) -> None:
    assert status in KNOWN_STATUSES
    assert synonym not in KNOWN_STATUSES
    assert meaning(synonym) == status


@pytest.mark.parametrize(
    ("status", "finished_at", "is_terminal", "is_active"),
    [
        *((status, "", True, False) for status in (*TERMINAL, "canceled", "SUCCESS")),
        *((status, "", False, True) for status in (*ACTIVE, "notRunning", "in_progress")),
        ("running", "2026-01-01T00:00:00.000Z", False, True),
        ("paused", "", False, False),
        ("paused", "2026-01-01T00:00:00.000Z", False, False),
        ("melting", "", False, True),
        ("melting", "2026-01-01T00:00:00.000Z", True, False),
    ],
)
def test_job_is_terminal_or_active(status: str, finished_at: str, is_terminal: bool, is_active: bool) -> None:
    line = table.to_line(job(status=status, finished_at=finished_at))
    assert (table.is_terminal(line), table.is_active(line)) == (is_terminal, is_active)
