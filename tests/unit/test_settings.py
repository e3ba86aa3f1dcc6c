"""The environment and the event, valid and not."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from snapshot.errors import EventError, SettingsError
from snapshot.settings import Run, Settings, base_url_problem

NOW = datetime(2026, 1, 31, 12, 0, 30, 999, tzinfo=UTC)
THIS_SECOND = NOW.replace(microsecond=0)
EVENTS = Path(__file__).parents[2] / "events"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, Run("default", THIS_SECOND, full=False)),
        ({"source": "team-a_1", "full": True}, Run("team-a_1", THIS_SECOND, full=True)),
        ({"time": "<aws.scheduler.scheduled-time>"}, Run("default", THIS_SECOND, full=False)),
        ({"time": "2026-01-31T11:45:00Z"}, Run("default", datetime(2026, 1, 31, 11, 45, tzinfo=UTC), full=False)),
        (
            {"time": "2026-01-31T13:45:00.5+02:00"},
            Run("default", datetime(2026, 1, 31, 11, 45, tzinfo=UTC), full=False),
        ),
        (
            {"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-01-31T12:00:00Z", "detail": {}},
            Run("default", datetime(2026, 1, 31, 12, tzinfo=UTC), full=False),
        ),
        (
            {
                "detail-type": "x",
                "source": "aws.events",
                "time": "2026-01-31T12:00:00Z",
                "detail": {"source": "b", "z": 1},
            },
            Run("b", datetime(2026, 1, 31, 12, tzinfo=UTC), full=False),
        ),
    ],
)
def test_events(event: dict[str, Any], expected: Run) -> None:
    run = Run.parse(event, NOW)
    assert run == expected
    assert run.timestamp == f"{expected.time:%Y-%m-%dT%H:%M:%SZ}"  # in UTC, from any time zone
    assert run.time.tzinfo == UTC


@pytest.mark.parametrize("detail", [{}, {"detail": None}, {"detail": "x"}])
def test_the_envelope_s_time_counts_without_any_detail(detail: dict[str, Any]) -> None:
    event = {"detail-type": "x", "source": "aws.events", "time": "2026-01-31T12:00:00Z"} | detail
    assert Run.parse(event, NOW) == Run("default", datetime(2026, 1, 31, 12, tzinfo=UTC), full=False)


def test_zone_of_the_machine_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        run = Run.parse({"time": "2026-01-31T12:00:00Z"}, NOW)
    time.tzset()
    assert run.timestamp == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("moment", ["2026-01-30T12:00:30.000999Z", "2026-01-31T12:15:30.000999Z"])
def test_a_time_24_hours_old_or_15_minutes_ahead_is_accepted(moment: str) -> None:
    assert Run.parse({"time": moment}, NOW).timestamp == moment.replace(".000999", "")


def test_the_time_of_an_event_without_one_is_now() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= Run.parse({}).time <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "must be a JSON object"),
        ([], "not an array"),
        ({"sorce": "a"}, "unknown field 'sorce'"),
        *(({"source": bad}, "source") for bad in ("", "-a", "a/b", "ä", "a" * 65, "a\n", 1, None, "..")),
        *(({"full": bad}, "full must be true or false") for bad in ("true", 1, None)),
        *(
            ({"time": bad}, "ISO 8601")
            for bad in ("yesterday", "2026-01-31T12:00:00", "2026-01-31", 5, "", list[Any]())
        ),
        ({"time": "2026-01-30T12:00:30Z"}, "24 hours"),
        ({"time": "2026-01-31T12:15:31Z"}, "15 minutes"),
        ({"time": "2026-01-01\ud80012:00:00Z"}, "24 hours"),
    ],
)
def test_bad_events_name_the_field(event: object, message: str) -> None:
    with pytest.raises(EventError, match=message) as caught:
        Run.parse(event, NOW)
    assert str(caught.value).encode()  # it can be logged


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "a boolean"), (1, "a number"), (1.5, "a number"), ("a", "a string"), ([], "an array"), (None, "null")],
)
def test_value_of_a_wrong_type_is_named_in_json_terms(value: Any, kind: str) -> None:
    with pytest.raises(EventError, match=rf", not {kind}\.$"):
        Run.parse(value, NOW)
    if kind != "a boolean":
        with pytest.raises(EventError, match=rf"true or false, not {kind}\.$"):
            Run.parse({"full": value}, NOW)
    with pytest.raises(EventError, match=r"true or false, not an object\.$"):
        Run.parse({"full": {}}, NOW)


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("*.json")), ids=lambda path: path.name)
def test_sample_events_are_accepted(sample: Path) -> None:
    event = json.loads(sample.read_text())
    assert Run.parse(event, NOW) == Run("default", THIS_SECOND, full=sample.name == "full.json")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://example.openai.azure.com/openai/v1/",
        "http://127.0.0.1:8080/v1",
        "http://localhost/v1",
        "http://[::1]:80/v1",
        "https://host/models/v1",
        "https://host/fine_tuningX",
    ],
)
def test_valid_base_url_is_accepted(url: str) -> None:
    assert base_url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://api.openai.com/v1", "https://"),
        *(
            (f"http://{private}/v1", "https://")
            for private in ("10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0")
        ),
        ("http://127.0.0.1.example.com/v1", "https://"),
        ("ftp://127.0.0.1/v1", "https://"),
        ("api.openai.com/v1", "not a URL"),
        ("https://", "not a URL"),
        ("https://host:port/v1", "not a URL"),
        ("https://[::1/v1", "not a URL"),
        ("https://host /v1", "not a URL"),
        ("https://user:secret@host/v1", "no user"),
        ("https://host/v1?key=secret", "no user, query"),
        ("https://host/v1#secret", "no user, query or fragment"),
        ("https://host/v1/fine_tuning/jobs", "before /fine_tuning"),
        ("https://host/v1/fine_tuning/", "before /fine_tuning"),
        ("https://host/v1/models", "before /fine_tuning"),
    ],
)
def test_invalid_base_url_is_not_shown(url: str, problem: str) -> None:
    found = base_url_problem(url)
    assert found is not None
    assert problem in found
    assert "secret" not in found


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "SECRET_PREFIX", "EVENT_BUS_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SNAPSHOT_BUCKET", "b")
    assert Settings.from_environment() == Settings("b", "fine-tuning/", "https://api.openai.com/v1", "default")
    monkeypatch.setenv("OPENAI_BASE_URL", "")  # as with an empty parameter
    monkeypatch.setenv("SECRET_PREFIX", "p/")
    monkeypatch.setenv("EVENT_BUS_NAME", "bus")
    assert Settings.from_environment() == Settings("b", "p/", "https://api.openai.com/v1", "bus")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.com/v1")
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL must begin with https"):
        Settings.from_environment()
    monkeypatch.delenv("SNAPSHOT_BUCKET")
    with pytest.raises(SettingsError, match="SNAPSHOT_BUCKET is missing"):
        Settings.from_environment()
