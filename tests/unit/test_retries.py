"""Which attempts are repeated, and when."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from snapshot.api.retries import is_transient, retry_after_seconds, wait_seconds


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, True) for status in (408, 409, 425, 429, 500, 502, 503, 504, 505, 507, 520, 529, 530, 598, 599)),
        *((status, False) for status in (400, 401, 402, 403, 404, 405, 410, 418, 422, 451, 499, 501, 600)),
    ],
)
def test_transient_statuses_are_repeated(status: int, expected: bool) -> None:
    assert is_transient(status) == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 1. "}, 1),
        ({"retry-after": ".9"}, 0.9),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": " 20 ", "retry-after": "30"}, 0.02),
        ({"retry-after-ms": "1250.5", "retry-after": "30"}, 1.2505),
        # An invalid number of milliseconds is ignored.
        *(({"retry-after-ms": bad, "retry-after": "1"}, 1) for bad in ("soon", "-5", "nan", "inf", "")),
        *(
            ({"retry-after": bad}, None)
            for bad in ("", "soon", "nan", "inf", "-inf", "-1.5", "1e1", "1,5", "٣", "0", "0.0", "0x5", "1.5s")
        ),
        ({"retry-after-ms": "0"}, None),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2026 00:00:00 +99999999999999"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_like_the_official_sdk(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_retry_after_may_be_a_date(zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True).replace("GMT", zone)
    seconds = retry_after_seconds({"retry-after": date})
    assert seconds is not None
    assert 40 < seconds <= 50


@pytest.mark.parametrize(("wish", "seconds"), [(0.02, 0.02), (60, 60), (60.5, 60), (float("inf"), 60)])
def test_retry_after_is_capped(wish: float, seconds: float) -> None:
    assert wait_seconds(5, wish) == seconds


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1), (3, 2), (6, 16)])
def test_waits_double_and_are_spread(attempt: int, longest: float) -> None:
    waits = {wait_seconds(attempt, None) for _ in range(100)}
    assert len(waits) > 1
    assert longest / 2 <= min(waits) < longest * 0.6
    assert longest * 0.9 < max(waits) <= longest
