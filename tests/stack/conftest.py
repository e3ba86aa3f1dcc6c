"""Fixtures for tests of the deployed stack, which runs under its own roles."""

from collections.abc import Iterator

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import Stack
from tests.stack.day import Day
from tests.stack.operator import Operator

SOURCES = ("alpha", "team-b")


@pytest.fixture(scope="session")
def shared_api() -> Iterator[SimulatedApi]:
    with SimulatedApi() as api:
        yield api


@pytest.fixture(scope="module")
def own_api() -> Iterator[SimulatedApi]:
    """An API whose jobs a test module may change."""
    with SimulatedApi() as api:
        yield api


@pytest.fixture(scope="session", autouse=True)  # first: its schedules fire after a minute, which other tests use
def stack(aws: EmbeddedAws, shared_api: SimulatedApi) -> Stack:
    """A stack with two sources, whose schedules fire once a minute."""
    stack = Stack(aws, "tested", {"Sources": ",".join(SOURCES), "ScheduleExpression": "rate(1 minute)"})
    for source in SOURCES:
        stack.put_secret(source, shared_api.secret)
    return stack


@pytest.fixture(scope="session")
def day(aws: EmbeddedAws) -> Iterator[Day]:
    with Day(aws) as day:
        yield day


@pytest.fixture(scope="module")
def operator(aws: EmbeddedAws, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator whose STACK is the tested one."""
    operator = Operator(aws, tmp_path_factory.mktemp("home"))
    operator.environment["STACK"] = stack.name
    return operator
