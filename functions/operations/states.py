"""What a failure in the state of a CloudFormation stack means, and what ends it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from typing import NamedTuple

from operations.stack import Stack


class Failure(NamedTuple):
    """What has failed; `repair` is the AWS CLI's command without which the stack cannot be updated."""

    what: str
    repair: str = ""
    never_created: bool = False  # the stack can only be deleted, and holds no data


# Without the states of an import, which no command here starts. The repairs:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
FAILURES = {
    "CREATE_FAILED": Failure("the first deployment failed", never_created=True),
    "ROLLBACK_IN_PROGRESS": Failure("the first deployment failed and is being undone"),
    "ROLLBACK_COMPLETE": Failure("the first deployment failed and was undone", never_created=True),
    "ROLLBACK_FAILED": Failure("the first deployment failed and could not be undone", never_created=True),
    "UPDATE_FAILED": Failure("the last deployment failed and was not undone", "rollback-stack"),
    "UPDATE_ROLLBACK_IN_PROGRESS": Failure("the last deployment failed and is being undone"),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Failure("the last deployment failed and is being undone"),
    "UPDATE_ROLLBACK_COMPLETE": Failure("the last deployment failed and was undone"),
    "UPDATE_ROLLBACK_FAILED": Failure("the last deployment failed and could not be undone", "continue-update-rollback"),
    "DELETE_FAILED": Failure("its deletion failed", "delete-stack"),
}
SUCCESSES = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def is_in_progress(state: str) -> bool:
    """Return whether an operation has not ended yet."""
    return state.endswith("_IN_PROGRESS")


def repair_command(deployed: Stack) -> str:
    """Return the command without which a stack cannot be updated; empty if it can, or is to be deleted."""
    failure = FAILURES.get(deployed.status)
    if failure is None or not failure.repair:
        return ""
    return f"aws cloudformation {failure.repair} --region {deployed.region} --stack-name {deployed.name}"
