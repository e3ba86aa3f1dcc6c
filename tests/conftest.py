"""Fixtures and settings of all tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.environment import isolate
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws

_USER = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
isolate()
# Variables of the user's shell that would change the commands in tests.
_FOR_COMMANDS = {"STACK", "SOURCE", "FULL", "EVENT", "SINCE", "LEVEL", "CONFIRM"}
_FOR_TERMINALS = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"}
for name in (_FOR_COMMANDS | _FOR_TERMINALS) & os.environ.keys():
    del os.environ[name]

settings.register_profile("soak", max_examples=4000, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the length of the soak test and its seed; `make soak` sets both."""
    parser.addoption("--ticks", type=int, default=24, help="schedule ticks of the soak")
    # With this seed a few ticks have faults of the API and of AWS, runs that die and double deliveries.
    parser.addoption("--seed", type=int, default=3, help="seed of the soak's chances")


@pytest.fixture(scope="session")
def user() -> dict[str, str]:
    """The environment that pytest, or make, was started in; other tests' processes do not have it."""
    return _USER


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def api() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api
