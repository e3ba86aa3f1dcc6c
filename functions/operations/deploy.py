"""`make deploy`: create or update the stack, asking only what is not known."""

import re

from operations import answers, changes, parameters
from operations.answers import DEFAULT_STACK
from operations.errors import OperationError, run
from operations.stack import NoRegionError, Stack, Target, chosen_name, describe, named
from operations.terminal import ask, confirm, say

# A stack that never came up: AWS lets it be deleted only, and there is nothing in it.
_NEVER_CAME_UP = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
_WAY_OUT = {
    "DELETE_FAILED": "delete-stack",
    "UPDATE_FAILED": "rollback-stack",
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
}
# The name of the function, which AWS makes of the stack's, `-SnapshotFunction-` and 12 characters, has at most 64.
_LONGEST_NAME = 34


def main() -> None:
    """Deploy; raises OperationError if that is not possible, not wanted, or fails."""
    target = _target()
    stack = describe(target)
    if stack and stack.status == "REVIEW_IN_PROGRESS":  # nothing but a change set, of a `make deploy` that was stopped
        stack = None
    if stack:
        _check_usable(target, stack)
    if stack and stack.status in _NEVER_CAME_UP:
        _delete_failed(target, stack)
        stack = None
    if stack is None and len(target.name) > _LONGEST_NAME:
        raise OperationError(f"The name {target.name} is too long: a stack's has at most {_LONGEST_NAME} characters.")
    _know_parameters(target, stack)
    _deploy(target)


def _target() -> Target:
    """The stack to deploy; asks for its region and name if nothing says them."""
    name, region = chosen_name(), None
    _check_name(name or DEFAULT_STACK)
    try:
        target = named(name or DEFAULT_STACK)
    except NoRegionError:
        region = ask("AWS region [us-east-1]:") or "us-east-1"
        target = named(name or DEFAULT_STACK, region)
    if name or describe(target):
        return target
    name = ask(f"Name of the stack in {target.region} [{DEFAULT_STACK}]:") or DEFAULT_STACK
    _check_name(name)
    return named(name, region)


def _check_name(name: str) -> None:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9-]*", name):
        raise OperationError(f"{name!r} cannot name a stack: it takes letters, digits and hyphens, a letter first.")


def _check_usable(target: Target, stack: Stack) -> None:
    """Raise OperationError for a stack that is not this project's, or has to be left alone for now."""
    if not {"Sources", "SecretPrefix"} <= stack.parameters.keys():
        raise OperationError(
            f"The stack {stack.name} in {stack.region} is not one of this project: choose another name."
        )
    if stack.status.endswith("_IN_PROGRESS"):
        raise OperationError(
            f"Another deployment of {stack.name} in {stack.region} is under way ({stack.status}): wait for its end."
        )
    if stack.status in _WAY_OUT:
        command = f"aws cloudformation {_WAY_OUT[stack.status]} --stack-name {stack.name} --region {stack.region}"
        raise OperationError(
            f"The stack {stack.name} in {stack.region} is stuck in {stack.status}. {changes.failure(target)}\n"
            f"Mend that, run `{command}`, wait for its end, and `make deploy` again."
        )


def _delete_failed(target: Target, stack: Stack) -> None:
    say(
        f"The first deployment of {stack.name} in {stack.region} failed: {changes.failure(target)}\n"
        f"It left the stack in {stack.status}, in which it can only be deleted."
    )
    confirm("Delete that stack, which never came up, and deploy?")
    changes.delete_stack(target)


def _know_parameters(target: Target, stack: Stack | None) -> None:
    """See to it that the stack has a file of answers, and that they can be deployed."""
    file = answers.file(target.name).name
    if target.answers:
        try:
            parameters.check(target.answers.parameters)
        except OperationError as error:
            raise OperationError(f"{error}\nMend it in {file}.") from None
        if stack and (changed := parameters.differences(stack.parameters, target.answers.parameters)):
            say(f"{file} is not what is deployed. This deployment changes")
            say("\n".join(f"  {line}" for line in changed))
            say(f"To keep what is deployed, stop here, delete {file}, and `make deploy` again.")
        return
    if stack:
        values = {
            name: stack.parameters.get(name, str(definition["Default"]))
            for name, definition in parameters.defined().items()
        }
        say(f"The stack {stack.name} in {stack.region} exists: its parameters are in {file} now.")
    else:
        say(f"The stack {target.name} in {target.region} is new.")
        values = parameters.ask_for_all()
        say(f"\nYour answers are in {file}.")
    answers.write(target.name, target.region, values)


def _deploy(target: Target) -> None:
    say("Uploading the function, and looking what changes …")
    change_set = changes.create(target)
    if change_set is None:
        print(f"Nothing changes: the stack {target.name} in {target.region} is up to date.")
        return
    if lost := changes.losses(target, change_set):
        say("This deployment")
        say("\n".join(f"  {line}" for line in lost))
        try:
            confirm("Deploy it?")
        except OperationError:
            changes.discard(target, change_set)
            raise
    changes.execute(target, change_set)
    print(f"The stack {target.name} in {target.region} is deployed.")


if __name__ == "__main__":
    run(main)
