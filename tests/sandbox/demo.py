"""`make run`: deploy the stack into the embedded AWS, take a snapshot, and a second one after some changes."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.sandbox import demo_story, queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import InvocationError, Stack

ROWS_SHOWN = 8
_ALARM_SECONDS = 1.5  # within which the embedded AWS evaluates its alarms
COLUMNS_SHOWN = {"created_at": 16, "status": 9, "id": 30, "model": 10}  # with their least width, for 80 characters

console = Console(highlight=False)


def main() -> int:
    """Run; returns the exit status."""
    with ExitStack() as closing:
        with _step("Starting an AWS on this machine"):
            aws = closing.enter_context(EmbeddedAws())
        with _step("Deploying the stack from template.yaml"):
            stack = Stack(aws, "fine-tuning-snapshots", {"ScheduleState": "DISABLED", "SecretPrefix": "fine-tuning/"})
        api = None
        secret = _own_secret()
        if not secret:
            api = closing.enter_context(SimulatedApi())
            console.print("[dim]OPENAI_API_KEY is not set: listing simulated jobs.[/]")
            demo_story.begin(api)
            secret = {"api_key": api.key, "base_url": api.base_url}
        stack.put_secret("default", json.dumps(secret))
        try:
            with _step(f"Listing the fine-tuning jobs of {secret['base_url']}"):
                summary = stack.invoke(source="default")
        except InvocationError as error:
            console.print("[red]The run failed.[/]", escape(str(error)), soft_wrap=True)
            if re.search("status 40[13]", str(error)):
                console.print("Here the key is that of OPENAI_API_KEY: set it to one that may list the jobs.")
            return 1
        _show(stack, summary)
        if api:
            _second_act(stack, api)
    return 0


def _own_secret() -> dict[str, str] | None:
    """The secret that the official SDK's variables ask for; None without a key."""
    if not (key := os.environ.get("OPENAI_API_KEY")):
        return None
    names = {"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"}
    own = {field: os.environ[name] for field, name in names.items() if os.environ.get(name)}
    return {"api_key": key, "base_url": os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"} | own


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


def _second_act(stack: Stack, api: SimulatedApi) -> None:
    messages = queues.of_topic(stack.aws, stack.outputs["Topic"])
    events = queues.of_bus(stack.aws)
    console.print()
    with _step("Letting a job fail, one succeed, two begin and a shutdown be announced"):
        demo_story.go_on(api)
    with _step("Listing the jobs again"):
        summary = stack.invoke(source="default")
        time.sleep(_ALARM_SECONDS)
    counts = [f"{name} {count}" for name, count in summary["changes"].items() if count]
    console.print("\n[bold]Changes[/]", ", ".join(counts))
    console.print("\n[bold]Events[/] on the default bus")
    for event in events.receive():
        detail = event["detail"]
        if "job_id" in detail:
            what = f"{detail['job_id']}: {detail['previous_status'] or 'new'} → {detail['status']}"
        else:
            what = f"{detail['model']}: {detail['shutdown_date']}"
        console.print(f"  {event['detail-type']}\n    {what}")
    console.print("\n[bold]Messages[/] to the topic, for e-mail, chat or a pager")
    for message in messages.receive():
        if not message["Message"].startswith("{"):  # an alarm's are JSON
            console.print(" ", escape(message["Message"].strip('"')), soft_wrap=True)
    ringing = [name for name, alarm in stack.alarms().items() if alarm["StateValue"] == "ALARM"]
    console.print("\n[bold]Alarms[/]", ", ".join(sorted(ringing)))


if __name__ == "__main__":
    sys.exit(main())
