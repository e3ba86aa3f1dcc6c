"""The conversion of a payload's values."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot import fields

from tests.fuzz import anything

NOON = "2026-01-31T12:00:00.000Z"
SECONDS = 1_769_860_800
NAN, INFINITY = float("nan"), float("inf")
EMPTY: tuple[Any, ...] = ([], {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECONDS, NOON),
        (float(SECONDS), NOON),
        (SECONDS + 0.25, "2026-01-31T12:00:00.250Z"),
        (SECONDS * 1000 + 7, "2026-01-31T12:00:00.007Z"),
        (str(SECONDS), NOON),
        (f" {SECONDS} ", NOON),
        (f"{SECONDS}.5", "2026-01-31T12:00:00.500Z"),
        (str(SECONDS * 1000), NOON),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31t12:00:00z", NOON),
        ("2026-01-31 14:00:00+02:00", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("20260131", "2026-01-31T00:00:00.000Z"),
        *((nothing, "") for nothing in (0, 0.0, "0", "", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z")),
        *((value, None) for value in (*EMPTY, -1, True, "soon", "12 o'clock", 10**400, 1e300, NAN, INFINITY)),
        (1, "1970-01-01T00:00:01.000Z"),
        (10**11, "5138-11-16T09:46:40.000Z"),  # the largest number that counts as seconds
        (10**11 + 1, "1973-03-03T09:46:40.001Z"),
        (253_402_300_799_000, "9999-12-31T23:59:59.000Z"),
        (253_402_300_799_001, None),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ("9999-12-31T23:59:59-10:00", None),
    ],
)
def test_time_is_read_in_every_form(value: Any, expected: str | None) -> None:
    assert fields.time(value) == expected
    assert fields.day(value) == (expected[:10] if expected else expected)


def test_time_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = fields.time("2026-01-31T12:00:00")
    time.tzset()
    assert found == NOON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, "5"),
        (5.0, "5"),
        ("5", "5"),
        ("5.0", "5"),
        (" 007 ", "7"),
        ("0", "0"),
        (-5, "-5"),
        ("", ""),
        (10**400, "1" + "0" * 400),
    ]
    + [(value, None) for value in (*EMPTY, 5.5, "5.5", "five", "1e3", True, NAN, INFINITY)],
)
def test_count_is_read_in_every_form(value: Any, expected: str | None) -> None:
    assert fields.count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a b", "a b"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), ("", ""), ([], None), ({}, None)],
)
def test_scalar_is_read_in_every_form(value: Any, expected: str | None) -> None:
    assert fields.scalar(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((nothing, "") for nothing in (*EMPTY, None, False, "", {"code": None, "message": None, "param": None}, [{}])),
        ({"code": "c", "message": None}, "c"),
        ({"message": "m"}, "m"),
        ("plain", "plain"),
        ({"code": 5, "message": "m"}, "5: m"),
        ({"code": 1.5}, "1.5"),
        ({"code": True, "message": "m"}, "true: m"),
        ({"code": 0, "message": ""}, ""),
        ({"message": {"detail": "d"}}, '{"detail":"d"}'),
        ({"detail": "d", "code": None}, '{"detail":"d","code":null}'),
        ([{"code": "a", "message": "b"}, "c", None], "a: b; c"),
        ({"code": "c", "message": "m" * 2000}, ("c: " + "m" * 2000)[:1024]),
        ("m" * 1023 + " n", "m" * 1023),
        ("X" * 1024 + "n", "X" * 1024),
        ({"code": "\u202ec", "message": "a\nb"}, "c: a b"),
        *((value, None) for value in (True, 5, [[1]], [5], {"message": [1]})),
    ],
)
def test_error_is_read_in_every_form(value: Any, expected: str | None) -> None:
    assert fields.error(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (["a", "b"], "a,b"), ([], ""), ("", ""), ([1], None), ({}, None), (["a", None], None)],
)
def test_file_ids_are_read_in_every_form(value: Any, expected: str | None) -> None:
    assert fields.files(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, ""),
        ([], ""),
        ({"a": 1, "b": "x  y"}, '{"a":1,"b":"x y"}'),
        ({"a": float("nan"), "b": [float("inf"), -float("inf")]}, '{"a":null,"b":[null,null]}'),
        ({"a": "\u202e\u2066é\n"}, '{"a":" é\\n"}'),
        *((value, None) for value in ([1], "x", 5, True)),
    ],
)
def test_object_is_written_as_compact_json(value: Any, expected: str | None) -> None:
    assert fields.compact(value) == expected


@given(st.dictionaries(st.text(), anything))
def test_compact_json_is_valid_json(value: dict[str, Any]) -> None:
    found = fields.compact(value)
    assert found is not None
    if found:
        json.loads(found, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("value", "method", "settings"),
    [
        ("supervised", "supervised", ""),
        ({"type": "dpo", "dpo": {"hyperparameters": {"beta": 1}}}, "dpo", '{"beta":1}'),
        (
            {"type": "r", "r": {"hyperparameters": {}, "grader": {"g": 1}}},
            "r",
            '{"hyperparameters":{},"grader":{"g":1}}',
        ),
        ({"type": "s", "s": {}}, "s", ""),
        ({"type": "s", "s": None}, "s", ""),
        ({"type": "s", "s": {"hyperparameters": None}}, "s", ""),
        ({"type": "s", "s": "odd"}, "s", None),
        ({"type": None}, "", ""),
        ({"type": ["s"]}, None, ""),
        ([], None, ""),
    ],
)
def test_method_is_read_in_every_form(value: Any, method: str | None, settings: str | None) -> None:
    assert (fields.method_type(value), fields.method_settings(value)) == (method, settings)


@given(anything)
def test_any_json_gives_text_or_none(value: Any) -> None:
    readers = (fields.text, fields.time, fields.day, fields.count, fields.scalar, fields.files, fields.compact)
    for read in (*readers, fields.method_type, fields.method_settings, fields.error):
        found = read(value)
        assert found is None or len(found.encode("utf-8", "replace").decode().splitlines()) <= 1


@given(st.text())
def test_clean_text_has_no_gaps_but_single_spaces(text: str) -> None:
    cleaned = fields.clean(text)
    assert cleaned == cleaned.strip(" ")
    assert "  " not in cleaned
    assert not any(character.isspace() and character != " " for character in cleaned)
    assert "".join(cleaned.split()) == "".join(character for character in text if not _is_gap(character))


def _is_gap(character: str) -> bool:
    return character.isspace() or ord(character) < 32 or 127 <= ord(character) < 160 or character in BIDIRECTIONAL


BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("control", BIDIRECTIONAL)
def test_bidirectional_controls_are_removed(control: str) -> None:
    assert fields.clean(f"abc{control}def") == "abc def"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, "5"),
        ("a\nb", r"'a\nb'"),
        (["x" * 18] * 2 + ["x" * 12], str(["x" * 18] * 2 + ["x" * 12])),
        (["x" * 18] * 2 + ["x" * 13], str(["x" * 18] * 2 + ["x" * 13])[:60] + "…"),
        ([[[[[[[[1]]]]]]]], "[[[[[[[...]]]]]]]"),
    ],
)
def test_a_value_in_a_message_has_60_characters(value: Any, expected: str) -> None:
    assert fields.shown(value) == expected


def test_text_changes_only_in_white_space() -> None:
    assert fields.text(" X  a\tX ") == "X a X"
