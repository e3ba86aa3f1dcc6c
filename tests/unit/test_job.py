"""The payload of a job, good and bad."""

import functools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from snapshot import table
from snapshot.errors import FieldError
from snapshot.job import Job, clean, parse

from tests.fuzz import anything
from tests.samples import ORIGINAL_COLUMNS, ORIGINAL_JOBS, payload

# JSON's reader, in a thread of its own, lets through what is too deep for repr() elsewhere.
DEEP: Any = functools.reduce(lambda inner, _: [inner], range(5000), [])


def test_the_first_five_columns_are_the_original_step_s() -> None:
    lines = [table.to_line(parse(job)) for job in reversed(ORIGINAL_JOBS)]
    table.newest_first(lines)
    rows = table.to_body(lines).splitlines(keepends=True)[1:]
    assert b"".join(b"\t".join(row.split(b"\t")[:5]) + b"\n" for row in rows) == ORIGINAL_COLUMNS


def test_all_columns() -> None:
    job = parse(
        payload(
            fine_tuned_model="ft:gpt-4o-mini-2024-07-18:acme::abc",
            trained_tokens=5000,
            error={"code": "bad\tfile", "message": "line 1\nline 2", "param": "training_file"},
            method={"type": "dpo", "dpo": {}},
            training_file="file-1",
            metadata={"team": "a", "note": "x  y"},
        )
    )
    assert job == Job(
        created_at="2025-10-09T08:53:21.000Z",
        updated_at="2025-10-09T09:53:21.000Z",
        status="succeeded",
        model="gpt-4o-mini-2024-07-18",
        id="ftjob-000000000000000000000001",
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:acme::abc",
        trained_tokens="5000",
        shutdown_date="",
        error="bad file: line 1 line 2",
        method="dpo",
        training_file="file-1",
        metadata='{"team":"a","note":"x y"}',
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, ""),
        ({}, ""),
        ({"code": None, "message": None, "param": None}, ""),
        ({"code": "c", "message": None}, "c"),
        ({"message": "m"}, "m"),
        ("plain", "plain"),
        ({"code": "c", "message": "m" * 2000}, ("c: " + "m" * 2000)[:1024]),
    ],
)
def test_errors_as_servers_send_them(error: object, told: str) -> None:
    assert parse(payload(error=error)).error == told


def test_absent_fields_are_empty() -> None:
    job = parse({"id": "a", "created_at": 1, "status": "queued"})
    assert job == Job("1970-01-01T00:00:01.000Z", "", "queued", "", "a", *[""] * 7)


@pytest.mark.parametrize(("own", "finished", "told"), [(5, 9, "05"), (None, 9, "09"), (0, 9, "09"), (None, None, None)])
def test_updated_at_is_its_own_or_the_end(own: int | None, finished: int | None, told: str | None) -> None:
    job = parse(payload(updated_at=own, finished_at=finished))
    assert job.updated_at == (f"1970-01-01T00:00:{told}.000Z" if told else "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(
            ({"created_at": bad}, r"\.created_at must be Unix time")
            for bad in ("1", -1, None, 1.7e12, True, [], DEEP, float("nan"))
        ),
        *(({"id": bad}, r"\.id must be") for bad in ("", None, 5, "a b", "a\tb", "\ud800", " a", "\u200ba")),
        *(({"status": bad}, r"\.status must be") for bad in ("", None, 5, " ")),
        ({"model": 5}, r"\.model must be a string, not 5"),
        ({"finished_at": "2025-01-01"}, r"\.finished_at must be"),
        ({"trained_tokens": "5"}, r"\.trained_tokens must be a whole number"),
        ({"trained_tokens": True}, r"\.trained_tokens must be a whole number"),
        ({"error": []}, r"\.error must be an object"),
        ({"error": {"code": 5}}, r"\.error\.code must be a string"),
        ({"method": "dpo"}, r"\.method must be an object"),
        ({"method": {"type": 1}}, r"\.method\.type must be a string"),
        ({"metadata": [1]}, r"\.metadata must be an object"),
        ({"training_file": {}}, r"\.training_file must be a string"),
    ],
)
def test_a_wrong_type_names_the_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        parse(payload(**fields))


@given(st.sampled_from([*Job._fields, "updated_at", "finished_at"]), anything)
@example("metadata", {"a": "\ud800\t\n"})
def test_any_json_in_any_field_gives_one_line_or_an_error_of_ours(field: str, value: Any) -> None:
    try:
        line = table.to_line(parse(payload(**{field: value})))
    except FieldError:
        return
    assert line.count(b"\t") == len(Job._fields) - 1
    assert len(line.decode().splitlines()) == 1


@given(anything)
def test_any_json_as_a_job_gives_an_error_of_ours(value: Any) -> None:
    with pytest.raises(FieldError):
        parse(value)


@given(st.text())
def test_clean_text_has_no_gaps_but_single_spaces(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip(" ")
    assert "  " not in cleaned
    assert not any(character.isspace() and character != " " for character in cleaned)
    assert "".join(cleaned.split()) == "".join(character for character in text if not _is_gap(character))


def _is_gap(character: str) -> bool:
    return character.isspace() or ord(character) < 32 or 127 <= ord(character) < 160
