"""The text of an error, with what the handler adds."""

import pytest
from snapshot.errors import ApiError, SnapshotError


@pytest.mark.parametrize(
    ("message", "expected"),
    [("No", "No. Done."), ("No.", "No. Done."), ("No?", "No? Done."), ("No…", "No… Done."), ("No!x", "No!x. Done.")],
)
def test_the_consequence_follows_as_a_sentence(message: str, expected: str) -> None:
    error = SnapshotError(message)
    assert str(error) == message
    error.consequence = "Done."
    assert str(error) == expected


def test_a_command_names_the_source() -> None:
    error = ApiError("Use `make secret SOURCE=…`.", 401)
    assert str(error) == "Use `make secret SOURCE=…`."
    error.source = "team-a"
    assert str(error) == "Use `make secret SOURCE=team-a`."
    assert error.status == 401
