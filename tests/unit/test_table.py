"""The table as a file, written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot import table
from snapshot.fields import clean
from snapshot.job import Job, parse
from snapshot.table import Line

from tests.samples import file_of, job, lines_of, payload

fields = st.text(max_size=20).map(clean)


def test_the_header_is_fixed() -> None:
    assert table.HEADER.split(b"\t") == (
        b"created_at updated_at status model id fine_tuned_model trained_tokens shutdown_date error method "
        b"training_file metadata finished_at hyperparameters seed suffix validation_file result_files"
    ).split(b" ")


@given(st.lists(st.tuples(*[fields] * len(Job._fields)), max_size=5))
def test_a_table_is_read_as_it_was_written(rows: list[tuple[str, ...]]) -> None:
    lines = [table.to_line(Job(*row)) for row in rows]
    assert lines_of(file_of(lines)) == lines
    assert [table.to_line(table.from_line(line)) for line in lines] == lines


def test_newest_first_keeps_the_order_of_jobs_of_one_time() -> None:
    jobs = [payload(1, id="old"), payload(2, id="x"), payload(2, id="a"), payload(2, id="b"), payload(3, id="new")]
    lines = [table.to_line(parse(each).job) for each in jobs]
    table.newest_first(lines)
    assert [table.job_id(line) for line in lines] == ["new", "x", "a", "b", "old"]


def test_columns_of_another_version_are_found_by_name() -> None:
    body = b"id\tnew_column\tstatus\tmodel\tseed\nftjob-1\tx y\trunning\t\t5\n"
    (line,), has_these_columns = table.from_file(body.splitlines(keepends=True))
    assert table.from_line(line) == job(status="running", id="ftjob-1", seed="5")
    assert not has_these_columns


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"id\tstatus",
        b"id\tstate\na\tb\n",
        b"id\tstatus\na\tb",
        b"id\tstatus\na\n",
        b"id\tstatus\na\tb\tc\n",
        b"id\tstatus\na\t\xff\n",
        b"\xff\n",
        b"XXid\tstatus\na\tb\n",
        b"id status\na b\n",
    ],
)
def test_invalid_table_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        lines_of(body)


def test_a_file_may_have_other_columns_at_its_ends() -> None:
    (line,) = lines_of(b"\tid\tstatus\tX\t\nx\ta\trunning\t5\ty\n")
    assert table.from_line(line) == job(status="running", id="a")


@pytest.mark.parametrize(
    ("previous", "lines", "expected"),
    [
        ("abcd", "abcd", ("", "")),
        ("abcd", "xbcd", ("a", "x")),
        ("abcd", "xyabcd", ("", "xy")),
        ("abcd", "axcd", ("ab", "ax")),
        ("abcd", "abcx", ("abcd", "abcx")),
        ("cd", "", ("cd", "")),
    ],
)
def test_common_end_of_two_tables_is_left_out(previous: str, lines: str, expected: tuple[str, str]) -> None:
    as_lines = [[Line(letter.encode()) for letter in letters] for letters in (previous, lines, *expected)]
    assert table.differing(as_lines[0], as_lines[1]) == (as_lines[2], as_lines[3])


def test_newest_first_compares_created_at_only() -> None:
    jobs = [
        job(created_at="b", status="a", id="1"),
        job(created_at="b", status="z", id="2"),
        job(created_at="c", id="3"),
    ]
    lines = [table.to_line(each) for each in jobs]
    table.newest_first(lines)
    assert [table.job_id(line) for line in lines] == ["3", "1", "2"]
