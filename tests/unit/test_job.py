"""The payload of a job, valid and not."""

import functools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from snapshot import table
from snapshot.errors import FieldError
from snapshot.job import Job, parse

from tests.fuzz import anything
from tests.samples import ORIGINAL_COLUMNS, ORIGINAL_JOBS, file_of, job, payload

# In a thread, json.loads accepts JSON that is too deep for repr() elsewhere.
DEEP: Any = functools.reduce(lambda inner, _: [inner], range(5000), list[Any]())


def test_the_first_five_columns_are_the_original_step_s() -> None:
    lines = [table.to_line(parse(job).job) for job in reversed(ORIGINAL_JOBS)]
    table.newest_first(lines)
    rows = file_of(lines).splitlines(keepends=True)[1:]
    assert b"".join(b"\t".join(row.split(b"\t")[:5]) + b"\n" for row in rows) == ORIGINAL_COLUMNS


FULL_PAYLOAD = payload(
    updated_at=1_760_003_700,
    fine_tuned_model="ft:gpt-4o-mini-2024-07-18:acme::abc",
    trained_tokens=5000,
    error={"code": "bad\tfile", "message": "line 1\nline 2", "param": "training_file"},
    method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": "auto"}}},
    training_file="file-1",
    metadata={"team": "a", "note": "x  y"},
    hyperparameters={"n_epochs": 3},
    seed=42,
    user_provided_suffix="support",
    validation_file="file-2",
    result_files=["file-3", "file-4"],
)


def test_payload_fills_every_column() -> None:
    parsed = parse(FULL_PAYLOAD)
    assert parsed.mistyped_fields == []
    assert parsed.job == Job(
        created_at="2025-10-09T08:53:21.000Z",
        updated_at="2025-10-09T09:55:00.000Z",
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
        finished_at="2025-10-09T09:53:21.000Z",
        hyperparameters='{"beta":0.1,"n_epochs":"auto"}',
        seed="42",
        suffix="support",
        validation_file="file-2",
        result_files="file-3,file-4",
    )
    assert [name for name, value in parsed.job._asdict().items() if not value] == ["shutdown_date"]


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(Job._fields), {"new": {"deep": [1]}}])
def test_absent_fields_are_empty_and_unknown_ones_are_skipped(absent: dict[str, Any]) -> None:
    parsed = parse(absent | {"id": "a", "created_at": 1, "status": "queued"})
    assert parsed == (job(created_at="1970-01-01T00:00:01.000Z", status="queued", id="a"), [])


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    line = table.to_line(parse(payload(training_file="file-\ud800")).job)
    assert table.from_line(line).training_file == "file-?"


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        ({"updated_at": 5, "finished_at": 9}, "updated_at", "1970-01-01T00:00:05.000Z"),
        ({"updated_at": None, "finished_at": 9}, "updated_at", "1970-01-01T00:00:09.000Z"),
        ({"updated_at": 0, "finished_at": 9}, "updated_at", "1970-01-01T00:00:09.000Z"),
        ({"updated_at": None, "finished_at": None}, "updated_at", ""),
        ({"modified_at": 7, "finished_at": None}, "updated_at", "1970-01-01T00:00:07.000Z"),
        ({"updated_at": "", "finished_at": "0001-01-01T00:00:00Z"}, "finished_at", ""),
        ({"training_files": ["file-a", "file-b"]}, "training_file", "file-a,file-b"),
        ({"training_file": None, "training_files": ["file-a"]}, "training_file", "file-a"),
        ({"validation_files": ["file-c"]}, "validation_file", "file-c"),
        ({"suffix": "own"}, "suffix", "own"),
        ({"user_provided_suffix": None, "suffix": "own"}, "suffix", "own"),
        ({"hyperparameters": {"n_epochs": 3}}, "hyperparameters", '{"n_epochs":3}'),
        (
            {"method": {"type": "supervised", "supervised": {}}, "hyperparameters": {"a": 1}},
            "hyperparameters",
            '{"a":1}',
        ),
        ({"method": "supervised", "hyperparameters": {"a": 1}}, "hyperparameters", '{"a":1}'),
    ],
)
def test_other_servers_field_names_fill_the_same_column(fields: dict[str, Any], column: str, value: str) -> None:
    parsed = parse(payload(**fields))
    assert getattr(parsed.job, column) == value
    assert parsed.mistyped_fields == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(
            ({"created_at": bad}, r"\.created_at must be Unix time")
            for bad in (
                "",
                " ",
                "soon",
                -1,
                None,
                1e15,
                10**30,
                True,
                list[Any](),
                DEEP,
                float("nan"),
                "0001-01-01T00:00:00Z",
            )
        ),
        *(({"id": bad}, r"\.id must be") for bad in ("", None, 5, "a b", "a\tb", "\ud800", " a", "\u200ba")),
        *(({"status": bad}, r"\.status must be") for bad in ("", None, 5, " ")),
    ],
)
def test_only_id_created_at_and_status_refuse_a_job(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=rf"^job{message}") as caught:
        parse(payload(**fields))
    assert str(caught.value) == f"job{caught.value.field} {caught.value.problem}."
    assert caught.value.field == f".{next(iter(fields))}"


def test_created_at_may_be_the_beginning_of_unix_time() -> None:
    assert parse(payload(created_at=0)).job.created_at == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("value", [1_760_000_000, 1_760_000_000_000, "1760000000", "2025-10-09T08:53:20Z"])
def test_created_at_may_be_any_form_of_a_time(value: Any) -> None:
    assert parse(payload(created_at=value)).job.created_at == "2025-10-09T08:53:20.000Z"


OPTIONAL = {*FULL_PAYLOAD, "suffix"} - {"object", "id", "created_at", "status"}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in sorted(OPTIONAL) for value in ([[1]], True, DEEP) if (name, value) != ("seed", True)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_optional_field_of_a_wrong_type_is_empty_and_reported(name: str, value: Any) -> None:
    parsed = parse(payload(finished_at=None) | {name: value})
    assert set(parsed.mistyped_fields) == {name}
    assert parsed.job == parse(payload(finished_at=None) | {name: None}).job


@given(st.sampled_from([*Job._fields, "training_files", "modified_at"]), anything)
@example("metadata", {"a": "\ud800\t\n"})
def test_any_json_in_any_field_gives_one_line_or_a_snapshot_error(field: str, value: Any) -> None:
    try:
        line = table.to_line(parse(payload(**{field: value})).job)
    except FieldError:
        return
    assert line.count(b"\t") == len(Job._fields) - 1
    assert len(line.decode().splitlines()) == 1


@given(anything)
def test_any_json_as_a_job_gives_a_job_or_a_snapshot_error(value: Any) -> None:
    with pytest.raises(FieldError):
        parse(value)
