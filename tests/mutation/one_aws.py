"""A plugin of pytest for mutants: it selects the tests of each module, and starts one embedded AWS for all mutants.

mutmut forks a process for each mutant from the one that has started it.
"""

import atexit
import os

import pytest
import snapshot.telemetry  # noqa: F401 - now, because its handler keeps the standard output, which pytest replaces

from tests.sandbox.aws import EmbeddedAws

# Tests of modules that call the API or AWS, besides tests/unit, which is enough for all others. A survivor costs all.
INTEGRATION = {
    "api.advice": ("client",),
    "api.calls": ("client", "listing"),
    "api.client": ("client",),
    "api.connections": ("client",),
    "api.fine_tuning": ("client", "listing"),
    "api.pages": ("client", "listing"),
    "api.responses": ("client", "listing"),
    "app": ("run", "changes"),
    "aws.events": ("changes", "delivery"),
    "aws.secrets": ("run",),
    "aws.snapshots": ("run",),
    "listing": ("listing", "overlap"),
    "previous": ("overlap",),
    "reading": ("listing", "overlap"),
}

_running = EmbeddedAws().__enter__()
atexit.register(_running.__exit__)
EmbeddedAws.__enter__ = lambda _: _running  # type: ignore[assignment,method-assign,return-value]
EmbeddedAws.__exit__ = lambda *_: None  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the integration tests of other modules than the mutated one."""
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")  # such as snapshot.api.client.x_get__mutmut_1
    if "__mutmut_" in mutant:
        module = mutant.partition(".")[2].rpartition(".")[0]
        kept = {f"test_{name}.py" for name in INTEGRATION.get(module, ())}
        items[:] = [item for item in items if item.path.parent.name == "unit" or item.path.name in kept]
