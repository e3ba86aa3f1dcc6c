"""The reasons of failed connections, in a few words."""

import errno

import pytest
import requests
from snapshot.api.connections import cause
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ECONNREFUSED, "the host h refused the connection at port 7"),
        (errno.ENETUNREACH, "the host h cannot be reached at port 7"),
        (None, "the host h cannot be reached at port 7"),
    ],
)
def test_refused_connection_differs_from_an_unreachable_host(number: int | None, why: str) -> None:
    reason = NewConnectionError(HTTPConnection("h", 7), "Failed")
    reason.__cause__ = OSError(number, "why") if number else None
    error = requests.ConnectionError(MaxRetryError(HTTPConnectionPool("h", 7), "/path?secret", reason))
    assert cause(error).startswith(why)


@pytest.mark.parametrize("error", [OSError(), OSError("why")])
def test_other_error_keeps_its_own_text(error: OSError) -> None:
    assert cause(error) == str(error)
