"""What every kind of test shares."""

from collections.abc import Iterator

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def api() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api
