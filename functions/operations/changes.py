"""CloudFormation change sets: created by SAM, which uploads the function, then examined and executed."""

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from operations import answers
from operations.errors import OperationError
from operations.parameters import BUILT_TEMPLATE
from operations.stack import Target
from operations.states import SUCCESSES, is_in_progress
from operations.terminal import say

_POLL_SECONDS = 1.0


def create(target: Target) -> str | None:
    """Upload the built function, and return the ARN of the change set for it; None if nothing changes.

    Raises OperationError if SAM fails.
    """
    done = subprocess.run(  # noqa: S603  # no shell in between
        [
            *(sys.executable, "-m", "samcli", "deploy"),
            *("--template-file", BUILT_TEMPLATE),  # or SAM would take that of the operator's SAM_TEMPLATE_FILE
            *("--config-file", answers.file(target.name), "--stack-name", target.name, "--region", target.region),
            *("--no-execute-changeset", "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        ],
        cwd=answers.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OperationError(f"{done.stderr.strip()}\n{_hint(target)}")
    if created := re.search(r"Changeset created successfully\. (arn:\S+)", done.stdout):
        return created[1]
    if "No changes to deploy" in done.stdout:
        return None
    raise OperationError(f"SAM's output names no change set:\n{done.stdout}{done.stderr}")


def losses(target: Target, change_set: str) -> list[str]:
    """Return the resources that a change set removes or replaces, like `removes AWS::SNS::Topic ChatTopic`."""
    pages = target.session.client("cloudformation").get_paginator("describe_change_set")
    return losses_of(change for page in pages.paginate(ChangeSetName=change_set) for change in page["Changes"])


def losses_of(changes: Iterable[Any]) -> list[str]:
    """Return the same from the changes of a change set.

    Conditional replacements are left out: they depend on another replaced resource, which is in the list, or on a part
    of a property, such as the name in the whole description of a Glue table.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """
    return [
        f"{'removes' if removed else 'replaces'} {resource['ResourceType']} {resource['LogicalResourceId']}"
        for resource in (change["ResourceChange"] for change in changes)
        if (removed := resource["Action"] == "Remove") or resource.get("Replacement") == "True"
    ]


def execute(target: Target, change_set: str) -> None:
    """Execute a change set, and report its events until it has ended; raises OperationError if it fails."""
    cloudformation = target.session.client("cloudformation")
    newest = next(_events(target, target.name))["EventId"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    status = _follow(target, target.name, newest)
    if status not in SUCCESSES:
        raise OperationError(f"The deployment failed. {failure(target)}\n{_hint(target)}")


def _hint(target: Target) -> str:
    return f"If a parameter is wrong, correct it in {answers.file(target.name).name}. Then run `make deploy` again."


def discard(target: Target, change_set: str) -> None:
    """Delete a change set that the operator does not want."""
    target.session.client("cloudformation").delete_change_set(ChangeSetName=change_set)


def delete_stack(target: Target) -> None:
    """Delete a stack, and report its events until it has ended; raises OperationError if that fails."""
    event = next(_events(target, target.name))
    target.session.client("cloudformation").delete_stack(StackName=event["StackId"])
    # The events of a deleted stack are available only under its id.
    status = _follow(target, event["StackId"], event["EventId"])
    if status != "DELETE_COMPLETE":
        raise OperationError(f"The stack could not be deleted: {failure(target)}")


def failure(target: Target) -> str:
    """Return which resource failed first in the newest operation on a stack, and the reason."""
    return first_failure(_events(target, target.name))


def first_failure(events: Iterable[dict[str, Any]]) -> str:
    """Return the same from the stack's events, newest first."""
    reason = "the stack's events give no reason"
    for event in events:
        status, why = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        # After a failure CloudFormation cancels the other resources in progress.
        if status.endswith("_FAILED") and not _is_of_stack(event) and "cancelled" not in why:
            reason = f"{event['LogicalResourceId']}: {why}"
        if _is_of_stack(event) and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
            break
    return reason


def _follow(target: Target, stack: str, last: str) -> str:
    """Report a stack's events after the `last` one until its operation has ended; return the status."""
    try:
        while True:
            for event in events_after(last, _events(target, stack)):
                last, status = event["EventId"], str(event["ResourceStatus"])
                if is_in_progress(status):
                    continue
                say(f"  {status:24} {event['LogicalResourceId']}")
                if _is_of_stack(event):
                    return status
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        raise OperationError(f"\nStopped waiting. AWS continues with the stack {target.name}.") from None


def events_after(last: str, events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events after the `last` one, oldest first, of a stack's events, newest first."""
    return list(takewhile(lambda event: event["EventId"] != last, events))[::-1]


def _events(target: Target, stack: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a stack, newest first."""
    cloudformation: Any = target.session.client("cloudformation")
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        yield from page["StackEvents"]


def _is_of_stack(event: dict[str, Any]) -> bool:
    return bool(event.get("PhysicalResourceId") == event["StackId"])
