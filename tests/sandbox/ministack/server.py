"""The process of the embedded AWS: MiniStack on an inherited socket, with what it lacks and the tests need.

tests/sandbox/aws.py starts it with the socket's file descriptor and the file that sets CloudWatch's clock. It ends when
its standard input ends, so that it never outlives its parent.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import tls
from ministack.services import athena, cloudwatch, cloudwatch_logs

from tests.sandbox.ministack import alarms, deployments, events, log_lines, operator_calls, resources

_TICK_SECONDS = 0.5


def metrics_from_logs() -> None:
    """Record the metrics in log lines of the embedded metric format, as CloudWatch Logs does."""
    append = cloudwatch_logs._append_log_events

    def append_and_extract(stream: Any, events: list[dict[str, Any]], *rest: Any) -> Any:
        for event in events:
            _extract(event["message"])
        return append(stream, events, *rest)

    cloudwatch_logs._append_log_events = append_and_extract


def _extract(message: str) -> None:
    try:
        line = json.loads(message)
        directives = line["_aws"]["CloudWatchMetrics"]
    except (ValueError, LookupError, TypeError):
        return
    for directive in directives:
        for names in directive["Dimensions"]:
            dimensions = {name: line[name] for name in names}
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    cloudwatch._store_datum(
                        directive["Namespace"], metric["Name"], dimensions, cloudwatch.time.time(),
                        metric.get("Unit", "None"), value, None, None, None,
                    )  # fmt: skip


def clock_that_can_be_set(file: Path) -> None:
    """Set CloudWatch's clock ahead by the seconds in a file, so that tests need not wait for hours."""
    cloudwatch.time = SimpleNamespace(time=lambda: time.time() + _ahead(file))


def _ahead(file: Path) -> float:
    try:
        return float(file.read_text())
    except (FileNotFoundError, ValueError):  # not set, or being written
        return 0.0


def alarms_that_look_at_dimensions() -> None:
    """Evaluate the alarms twice a second, with their dimensions, periods and treatment of missing data."""
    cloudwatch._evaluate_all_alarms = lambda: None

    def tick() -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            for alarm in list(cloudwatch._alarms.values()):
                _evaluate(alarm)

    threading.Thread(target=tick, daemon=True).start()


def _evaluate(alarm: dict[str, Any]) -> None:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions)), [])
    values = [(point["Timestamp"], point["Value"]) for point in points]
    before, now = alarm["StateValue"], alarms.state(alarm, values, cloudwatch.time.time())
    if now != before:
        reason = f"{alarm['Statistic']} of {alarm['MetricName']} {alarm['ComparisonOperator']} {alarm['Threshold']}"
        alarm |= {"StateValue": now, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
        cloudwatch._record_history(alarm["AlarmName"], before, now, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, now, reason)


def queries_in_the_dialect_of_athena() -> None:
    """Run Athena's own SQL, with its execution parameters and "$path"; MiniStack passes it to DuckDB unchanged."""
    start, relation = athena._start_query_execution, athena._table_relation

    def start_translated(data: dict[str, Any]) -> Any:
        import sqlglot  # noqa: PLC0415  # takes half a second, for which only queries wait

        query = sqlglot.parse_one(data["QueryString"], dialect="athena")
        values = iter(data.get("ExecutionParameters", ()))
        for placeholder in query.find_all(sqlglot.exp.Placeholder, bfs=False):
            placeholder.replace(sqlglot.parse_one(next(values), dialect="athena"))
        return start(data | {"QueryString": query.sql("duckdb")})

    def relation_with_path(table: dict[str, Any], files: list[str]) -> str:
        return str(relation(table, files)).replace("(SELECT ", '(SELECT filename AS "$path", ', 1)

    athena._start_query_execution, athena._table_relation = start_translated, relation_with_path


def main() -> None:
    """Serve until standard input ends."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent held signals back while it started this process
    clock_that_can_be_set(Path(sys.argv[2]))
    metrics_from_logs()
    alarms_that_look_at_dimensions()
    events.close_gaps()
    resources.close_gaps()
    log_lines.close_gaps()
    operator_calls.close_gaps()
    deployments.close_gaps()
    queries_in_the_dialect_of_athena()
    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.certfile, config.keyfile = tls.resolve_tls_material()
    config.keep_alive_timeout = 75
    config.accesslog = None

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
