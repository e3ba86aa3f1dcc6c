"""Fixtures of the integration tests, an AWS that fails on demand, and the figures at the end."""

from collections.abc import Iterator

import pytest
from snapshot import credentials, events, store

from tests.integration.conftest import bus, deployment  # noqa: F401
from tests.sandbox.aws import EmbeddedAws
from tests.soak.flaky import FlakyAws

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines to be shown at the end, whether the test passes or not."""
    return request.config.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture
def flaky(
    aws: EmbeddedAws,
    deployment: object,  # noqa: ARG001, F811 - its environment comes first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FlakyAws]:
    clients = (store._s3, events._events, credentials._secrets)
    with FlakyAws(aws) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        for client in clients:
            client.cache_clear()  # they keep their endpoint
        yield server
        for client in clients:
            client.cache_clear()
