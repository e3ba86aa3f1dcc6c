"""The embedded AWS's process: MiniStack on a socket that it inherits, with the gaps closed that the tests need.

Started by tests/sandbox/aws.py with the socket's file descriptor; ends when its standard input does, so that it
never outlives its parent.
"""

import asyncio
import json
import os
import sys
import threading
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import tls
from ministack.services import cloudwatch, cloudwatch_logs


def metrics_from_logs() -> None:
    """Do what CloudWatch Logs does with lines in the embedded metric format, and MiniStack does not."""
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
                        directive["Namespace"], metric["Name"], dimensions, line["_aws"]["Timestamp"] / 1000,
                        metric.get("Unit", "None"), value, None, None, None,
                    )  # fmt: skip


def main() -> None:
    """Serve until standard input ends."""
    metrics_from_logs()
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
