"""`make deploy`: creates or updates the stack, and asks only for missing parameters."""

import re

from operations import answers, changes, parameters
from operations.answers import DEFAULT_STACK
from operations.errors import OperationError, run
from operations.stack import NoRegionError, Stack, Target, chosen_name, describe, named
from operations.states import FAILURES, is_in_progress, repair_command
from operations.terminal import ask, confirm, say

# The function's name has at most 64 characters: the stack's name, `-SnapshotFunction-` and 12 characters by AWS.
_LONGEST_NAME = 34


def main() -> None:
    """Deploy the stack; raises OperationError if that is impossible, not wanted, or fails."""
    target = _target()
    stack = describe(target)
    if stack and stack.status == "REVIEW_IN_PROGRESS":  # only a change set, left by a `make deploy` that was stopped
        stack = None
    if stack:
        _check_usable(target, stack)
    if stack and stack.status in FAILURES and FAILURES[stack.status].never_created:
        _delete_failed(target, stack)
        stack = None
    _prepare_answers(target, stack)
    _deploy(target)


def _target() -> Target:
    """Return the stack to deploy; asks for its region and name if they are not known."""
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
        raise OperationError(f"{name!r} is not a valid stack name: use letters, digits and hyphens, a letter first.")
    if len(name) > _LONGEST_NAME:
        raise OperationError(f"The name {name} is too long: a stack's name has at most {_LONGEST_NAME} characters.")


def _check_usable(target: Target, stack: Stack) -> None:
    """Raise OperationError for a stack of another project, or one that cannot be updated now."""
    if not {"Sources", "SecretPrefix"} <= stack.parameters.keys():
        raise OperationError(
            f"The stack {stack.name} in {stack.region} belongs to another project: choose another name."
        )
    if is_in_progress(stack.status):
        raise OperationError(
            f"Another deployment of {stack.name} in {stack.region} is in progress ({stack.status}): wait until it ends."
        )
    if command := repair_command(stack):
        raise OperationError(
            f"The stack {stack.name} in {stack.region} is stuck in {stack.status}. {changes.failure(target)}\n"
            f"Remove the cause, run `{command}`, wait until it ends, and run `make deploy` again."
        )


def _delete_failed(target: Target, stack: Stack) -> None:
    say(
        f"The first deployment of {stack.name} in {stack.region} failed: {changes.failure(target)}\n"
        f"The stack is in {stack.status} and can only be deleted."
    )
    confirm("Delete the failed stack, and deploy again?")
    changes.delete_stack(target)


def _prepare_answers(target: Target, stack: Stack | None) -> None:
    """Check the stack's file of answers, or write one from the deployed stack or the operator's answers."""
    answers.remove_half_made(target.name)
    file = answers.file(target.name).name
    if target.answers:
        try:
            parameters.check(target.answers.parameters)
        except OperationError as error:
            raise OperationError(f"{error}\nCorrect it in {file}.") from None
        if stack and (changed := parameters.differences(stack.parameters, target.answers.parameters)):
            say(f"{file} differs from the deployed stack. This deployment changes")
            say("\n".join(f"  {line}" for line in changed))
            say(f"To keep the deployed values, stop here, delete {file}, and run `make deploy` again.")
        return
    if stack:
        values = {
            name: stack.parameters.get(name, str(definition["Default"]))
            for name, definition in parameters.defined().items()
        }
        say(f"The stack {stack.name} in {stack.region} exists: its parameters are now in {file}.")
    else:
        say(f"The stack {target.name} in {target.region} is new.")
        values = parameters.ask_for_all()
        say(f"\nYour answers are in {file}.")
    answers.write(target.name, target.region, values)


def _deploy(target: Target) -> None:
    say("Uploading the function and checking what changes …")
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
