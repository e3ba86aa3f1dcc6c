"""The metrics on standard output, as CloudWatch reads them."""

import json
import time
from datetime import UTC, datetime

import pytest
from snapshot import telemetry
from snapshot.counts import Counts
from snapshot.settings import Run


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "FineTuning")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack")


@pytest.mark.parametrize("days", [None, 3])
def test_every_metric_has_its_dimensions(days: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("team-a", datetime(2026, 1, 31, 12, tzinfo=UTC), full=False)
    for _ in range(2):  # nothing of this run is left in the next one
        telemetry.emit(run, Counts(3, {"running": 2, "other": 1}, 60.0, days), {"JobsFailed": 2})
        found = {}
        for text in capsys.readouterr().out.splitlines():
            line = json.loads(text)
            assert line["snapshot_time"] == "2026-01-31T12:00:00Z"
            assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60  # the time of emission, in milliseconds
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "FineTuning"
            (names,) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                dimensions = ",".join(f"{name}={line[name]}" for name in sorted(names))
                found[metric["Name"], metric["Unit"], dimensions] = line[metric["Name"]]
        expected = {
            ("JobCount", "Count", "Source=team-a,service=stack"): [3.0],
            ("JobsFailed", "Count", "Source=team-a,service=stack"): [2.0],
            ("OldestActiveJobAge", "Seconds", "Source=team-a,service=stack"): [60.0],
            ("JobCount", "Count", "Source=team-a,Status=running,service=stack"): [2.0],
            ("JobCount", "Count", "Source=team-a,Status=other,service=stack"): [1.0],
        }
        if days is not None:
            expected["DaysToModelShutdown", "Count", "Source=team-a,service=stack"] = [3.0]
        assert found == expected
