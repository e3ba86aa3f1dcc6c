"""The arrays in list responses."""

from typing import Any

import pytest
from snapshot.api.responses import Reply, array, entries
from snapshot.errors import ApiError


@pytest.mark.parametrize("read", [array, entries])
def test_null_is_an_empty_array(read: Any) -> None:
    assert read(Reply("GET /x", {"data": None})) == []


@pytest.mark.parametrize("body", [{}, {"DATA": None}, {"data": {}}, {"data": "text"}, {"data": 0}])
@pytest.mark.parametrize("read", [array, entries])
def test_response_without_an_array_is_an_error(read: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match=r"^GET /x: the response has no array named data"):
        read(Reply("GET /x", body))


@pytest.mark.parametrize("entry", ["id", None, ["id"], {}, {"ID": "b"}, {"id": None}, {"id": 7}, {"id": ""}])
def test_entry_without_a_non_empty_text_as_id_is_an_error(entry: Any) -> None:
    data = [{"id": "a"}, entry]
    with pytest.raises(ApiError, match=r"^GET /x: data\[1\] must be an object whose id is a non-empty string"):
        entries(Reply("GET /x", {"data": data}))
    assert array(Reply("GET /x", {"data": data})) == data


def test_entries_keep_their_other_fields() -> None:
    data = [{"id": "a", "model": None}, {"id": "b"}]
    assert entries(Reply("GET /x", {"data": data})) == data
