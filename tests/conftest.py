"""What every kind of test shares."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws

settings.register_profile("soak", max_examples=2000, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the soak is, and how to repeat it: `make soak` sets both."""
    parser.addoption("--ticks", type=int, default=40, help="schedule ticks of the soak")
    parser.addoption("--seed", type=int, default=1, help="seed of the soak's chances")


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def api() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api
