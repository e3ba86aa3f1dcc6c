"""What `make run` prints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.sandbox.aws import ROOT
from tests.sandbox.queues import Queue
from tests.sandbox.stack import Stack

ROWS_SHOWN = 8
COLUMNS_SHOWN = ("created_at", "status", "id", "model")
_ALARM_SECONDS = 1.5  # the embedded AWS evaluates its alarms within this time

console = Console(highlight=False)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show what is being done, and how long it took."""
    started = time.monotonic()
    with console.status(what + " …"):
        yield
    console.print(f"[green]✓[/] {what} [dim]({time.monotonic() - started:.1f} s)[/]")


def snapshot(stack: Stack, summary: dict[str, Any]) -> None:
    """Show the newest jobs of a run's snapshot, its counts and metrics, and copy the file into snapshots/."""
    body = stack.objects()[summary["key"]]
    header, *rows = (line.split("\t") for line in body.decode().splitlines())
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in COLUMNS_SHOWN:
        # Only the last one may be cut; rich shows an ellipsis only without no_wrap.
        table.add_column(column, no_wrap=column != COLUMNS_SHOWN[-1], overflow="ellipsis")
    for row in rows[:ROWS_SHOWN]:
        job = dict(zip(header, row, strict=True))
        job["created_at"] = job["created_at"][:16].replace("T", " ")
        table.add_row(*(job[column] for column in COLUMNS_SHOWN))
    console.print()
    console.print(table)
    if len(rows) > ROWS_SHOWN:
        console.print(f"[dim]… and {len(rows) - ROWS_SHOWN} more, with {len(header)} columns each[/]")
    counts = [f"{count} {status}" for status, count in summary["jobs_by_status"].items() if count]
    console.print(f"\n[bold]{summary['job_count']} jobs[/]: {', '.join(counts) or 'none'}")
    console.print("\n[bold]Metrics[/] in the namespace FineTuning, for the source default")
    for (name, dimensions), values in stack.metrics().items():
        if "Status" not in dict(dimensions):
            console.print(f"  {name:<20} {values[-1]:g}")
    copy = ROOT / "snapshots" / summary["key"].rpartition("/")[2]
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(body)
    console.print(f"\n[bold]Snapshot[/] s3://{summary['bucket']}/{summary['key']}", soft_wrap=True)
    console.print(f"[bold]Copy[/]     {copy.relative_to(ROOT)}", soft_wrap=True)


def changes(stack: Stack, summary: dict[str, Any], since: str, events: Queue, messages: Queue) -> None:
    """Show the changes `since` a time, and the events and messages that were sent."""
    time.sleep(_ALARM_SECONDS)
    counts = {name: count for name, count in summary["changes"].items() if count}
    console.print(f"\n[bold]Changes[/] {since}{'' if counts else ': none'}")
    for name, count in counts.items():
        console.print(f"  {name:<20} {count}")
    if sent := events.receive():
        console.print("\n[bold]Events[/] on the default bus")
    for event in sent:
        detail = event["detail"]
        if "job_id" in detail:
            what = f"{detail['job_id']}: {detail['previous_status'] or 'new'} → {detail['status']}"
        else:
            what = f"{detail['model']}: {detail['shutdown_date']}"
        console.print(f"  {event['detail-type']}\n    {escape(what)}")
    texts = [message["Message"].strip('"') for message in messages.receive()]
    texts = [text for text in texts if not text.startswith("{")]  # alarms send JSON
    if texts:
        console.print("\n[bold]Messages[/] to the topic, for e-mail, chat or a pager")
    for text in texts:
        console.print(" ", escape(text), soft_wrap=True)
    in_alarm = [alarm["AlarmName"] for alarm in stack.alarms().values() if alarm["StateValue"] == "ALARM"]
    names = [name.removeprefix(f"{stack.name} ") for name in sorted(in_alarm)]
    console.print("\n[bold]Alarms[/]", ", ".join(names) or "none")
