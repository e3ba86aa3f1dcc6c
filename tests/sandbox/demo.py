"""`make run`: deploy the stack into the embedded AWS, take a snapshot, and show what has changed since the last one."""

import json
import os
import re
import sys
from contextlib import ExitStack
from typing import Any

from operations.streams import prepare
from rich.markup import escape

from tests.environment import isolate, way_out
from tests.sandbox import demo_output, demo_story, local_copy, queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.demo_output import console, step
from tests.sandbox.ending import end_in_order
from tests.sandbox.stack import InvocationError, Stack


def main() -> int:
    """Run the demo, and return the exit status."""
    prepare()
    end_in_order()
    out = way_out(os.environ)
    isolate()
    try:
        return _run(out)
    except KeyboardInterrupt:
        return 130  # as a shell does for Ctrl-C


def _run(out: dict[str, str]) -> int:
    with ExitStack() as closing:
        with step("Starting an AWS on this machine"):
            aws = closing.enter_context(EmbeddedAws(out))
        with step("Deploying the stack from template.yaml"):
            stack = Stack(aws, "fine-tuning-snapshots", {"ScheduleState": "DISABLED", "SecretPrefix": "fine-tuning/"})
        secret = _own_secret()
        try:
            if secret:
                _list_own_jobs(stack, secret)
            else:
                console.print("[dim]OPENAI_API_KEY is not set: listing simulated jobs.[/]")
                _list_simulated_jobs(stack, closing.enter_context(SimulatedApi()))
        except InvocationError as error:
            console.print("[red]The run failed.[/]", escape(str(error)), soft_wrap=True)
            if re.search("status 40[13]", str(error)):
                console.print("Here the key is that of OPENAI_API_KEY: set it to one that may list the jobs.")
            return 1
    return 0


def _list_own_jobs(stack: Stack, secret: dict[str, str]) -> None:
    """List the jobs that the user's key can see, and what has changed since the previous run on this machine."""
    value = json.dumps(secret)
    stack.put_secret("default", value)
    since = local_copy.put_back(stack, value)
    outlets = _listen(stack)
    summary = _take_snapshot(stack, f"Listing the fine-tuning jobs of {secret['base_url']}")
    local_copy.keep(stack)
    demo_output.snapshot(stack, summary)
    if since:
        demo_output.changes(stack, summary, f"since {since[:16].replace('T', ' ')} UTC", *outlets)
    else:
        console.print("\nThis is the first snapshot of this account. The next `make run` shows what has changed since.")


def _list_simulated_jobs(stack: Stack, api: SimulatedApi) -> None:
    """List simulated jobs, let some of them change, and list them again."""
    demo_story.begin(api)
    stack.put_secret("default", api.secret)
    demo_output.snapshot(stack, _take_snapshot(stack, f"Listing the fine-tuning jobs of {api.base_url}"))
    outlets = _listen(stack)
    console.print()
    with step("Letting a job fail, one succeed, two begin and a shutdown be announced"):
        demo_story.go_on(api)
    demo_output.changes(stack, _take_snapshot(stack, "Listing the jobs again"), "since the first snapshot", *outlets)


def _take_snapshot(stack: Stack, what: str) -> dict[str, Any]:
    with step(what):
        return stack.invoke(source="default")


def _listen(stack: Stack) -> tuple[queues.Queue, queues.Queue]:
    """Return queues that receive the events and the messages from now on."""
    return queues.of_bus(stack.aws), queues.of_topic(stack.aws, stack.outputs["Topic"])


def _own_secret() -> dict[str, str] | None:
    """Return a secret made of the official SDK's variables; None without a key."""
    if not (key := os.environ.get("OPENAI_API_KEY")):
        return None
    names = {"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"}
    own = {field: os.environ[name] for field, name in names.items() if os.environ.get(name)}
    return {"api_key": key, "base_url": os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"} | own


if __name__ == "__main__":
    sys.exit(main())
