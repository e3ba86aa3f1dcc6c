"""`make run`: deploy the stack into the embedded AWS, take a snapshot and show what it brought."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import InvocationError, Stack

ROWS_SHOWN = 8
COLUMNS_SHOWN = {"created_at": 16, "status": 9, "id": 30, "model": 10}  # with their least width, for 80 characters

console = Console(highlight=False)


def main() -> int:
    """Run; returns the exit status."""
    with ExitStack() as closing:
        with _step("Starting an AWS on this machine"):
            aws = closing.enter_context(EmbeddedAws())
        with _step("Deploying the stack from template.yaml"):
            stack = Stack(aws, "fine-tuning-snapshots", {"ScheduleState": "DISABLED"})
        secret = _own_secret() or _simulated_secret(closing.enter_context(SimulatedApi()))
        stack.put_secret("default", json.dumps(secret))
        try:
            with _step(f"Listing the fine-tuning jobs of {secret['base_url']}"):
                summary = stack.invoke(source="default")
        except InvocationError as error:
            console.print(f"[red]The run failed.[/] {error}", soft_wrap=True)
            return 1
        _show(stack, summary)
    return 0


def _own_secret() -> dict[str, str] | None:
    """The secret that the official SDK's variables ask for; None without a key."""
    if not (key := os.environ.get("OPENAI_API_KEY")):
        return None
    names = {"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"}
    own = {field: os.environ[name] for field, name in names.items() if os.environ.get(name)}
    return {"api_key": key, "base_url": os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"} | own


def _simulated_secret(api: SimulatedApi) -> dict[str, str]:
    console.print("[dim]OPENAI_API_KEY is not set: listing simulated jobs.[/]")
    return {"api_key": api.key, "base_url": api.base_url}


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(what + " …"):
        yield
    console.print(f"[green]✓[/] {what} [dim]({time.monotonic() - started:.1f} s)[/]")


def _show(stack: Stack, summary: dict[str, Any]) -> None:
    body = stack.objects()[summary["key"]]
    header, *rows = (line.split("\t") for line in body.decode().splitlines())
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, width in COLUMNS_SHOWN.items():
        table.add_column(column, min_width=width, no_wrap=True, overflow="ellipsis")
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


if __name__ == "__main__":
    sys.exit(main())
