"""A change set of CloudFormation: made by SAM, which uploads the function; looked at, and executed."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from operations import answers
from operations.errors import OperationError
from operations.stack import Target
from operations.terminal import say

_POLL_SECONDS = 1.0


def create(target: Target) -> str | None:
    """Upload what was built, and return the ARN of the change set that would deploy it; None if nothing changes."""
    done = subprocess.run(  # noqa: S603  # no shell in between
        [
            *(sys.executable, "-m", "samcli", "deploy"),
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
    raise OperationError(f"SAM says neither what it made nor that nothing changes:\n{done.stdout}{done.stderr}")


def losses(target: Target, change_set: str) -> list[str]:
    """The resources that a change set removes or replaces, as `removes AWS::Scheduler::Schedule FullListingteamb`.

    Not those that it replaces conditionally: that is, if another one is replaced, which then is here; or if one part of
    a property changes, such as the name among all that describes a table of Glue.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """
    pages = target.session.client("cloudformation").get_paginator("describe_change_set")
    described = pages.paginate(ChangeSetName=change_set)
    return [
        f"{'removes' if removed else 'replaces'} {resource['ResourceType']} {resource['LogicalResourceId']}"
        for page in described
        for resource in (change["ResourceChange"] for change in page["Changes"])
        if (removed := resource["Action"] == "Remove") or resource.get("Replacement") == "True"
    ]


def execute(target: Target, change_set: str) -> None:
    """Deploy a change set and wait for its end, told by its events; raises OperationError if that is a failure."""
    cloudformation = target.session.client("cloudformation")
    newest = next(_events(target, target.name))["EventId"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    status = _follow(target, target.name, newest)
    if "ROLLBACK" in status or "FAILED" in status:
        raise OperationError(f"The deployment failed. {failure(target)}\n{_hint(target)}")


def _hint(target: Target) -> str:
    return f"If a parameter is wrong, mend it in {answers.file(target.name).name}. Then `make deploy` again."


def discard(target: Target, change_set: str) -> None:
    """Delete a change set that is not wanted."""
    target.session.client("cloudformation").delete_change_set(ChangeSetName=change_set)


def delete_stack(target: Target) -> None:
    """Delete a stack and wait for its end; raises OperationError if something of it cannot be deleted."""
    event = next(_events(target, target.name))
    target.session.client("cloudformation").delete_stack(StackName=event["StackId"])
    # A stack that is gone has its events under its id only.
    status = _follow(target, event["StackId"], event["EventId"])
    if status != "DELETE_COMPLETE":
        raise OperationError(f"The stack could not be deleted: {failure(target)}")


def failure(target: Target) -> str:
    """What failed first in the newest operation on a stack, and why."""
    reason = "the stack's events do not say why"
    for event in _events(target, target.name):
        status, why = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        # When one has failed, CloudFormation cancels those that are under way.
        if status.endswith("_FAILED") and not _is_of_stack(event) and "cancelled" not in why:
            reason = f"{event['LogicalResourceId']}: {why}"
        if _is_of_stack(event) and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
            break
    return reason


def _follow(target: Target, stack: str, told: str) -> str:
    """Tell a stack's events after the one `told` until its operation has ended; returns the status."""
    try:
        while True:
            for event in _events_after(target, stack, told):
                told, status = event["EventId"], str(event["ResourceStatus"])
                if status.endswith("_IN_PROGRESS"):
                    continue
                say(f"  {status:24} {event['LogicalResourceId']}")
                if _is_of_stack(event):
                    return status
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        raise OperationError(f"\nNot waiting any longer: AWS goes on with the stack {target.name}.") from None


def _events_after(target: Target, stack: str, told: str) -> list[dict[str, Any]]:
    """The events of a stack after one, the oldest first."""
    return list(takewhile(lambda event: event["EventId"] != told, _events(target, stack)))[::-1]


def _events(target: Target, stack: str) -> Iterator[dict[str, Any]]:
    """The events of a stack, the newest first."""
    cloudformation: Any = target.session.client("cloudformation")
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        yield from page["StackEvents"]


def _is_of_stack(event: dict[str, Any]) -> bool:
    return bool(event.get("PhysicalResourceId") == event["StackId"])
