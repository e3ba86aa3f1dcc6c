"""Which stack a command is about, in which region, and what AWS says of it."""

import os
from typing import NamedTuple

import boto3
from botocore.exceptions import ClientError

from operations import answers
from operations.answers import DEFAULT_STACK, Answers
from operations.errors import OperationError


class NoRegionError(OperationError):
    """Neither the answers nor the AWS settings say which region."""


class Target(NamedTuple):
    """A stack that a command is about, deployed or not."""

    name: str
    session: boto3.Session  # of its region
    answers: Answers | None  # None without a file, as in a colleague's clone

    @property
    def region(self) -> str:
        """The stack's region."""
        return str(self.session.region_name)


class Stack(NamedTuple):
    """A stack as AWS describes it."""

    name: str
    session: boto3.Session
    status: str
    outputs: dict[str, str]
    parameters: dict[str, str]

    @property
    def region(self) -> str:
        """The stack's region."""
        return str(self.session.region_name)

    def command(self, target: str, **variables: str) -> str:
        """What to type for one of make's targets, about this stack."""
        return " ".join(
            ["make", target, *(f"{name}={value}" for name, value in {**variables, "STACK": self.name}.items())]
        )


def deployed() -> Stack:
    """The stack that the operator means; raises OperationError if it is not there to be used."""
    target = chosen()
    stack = describe(target)
    if stack is None:
        region_of = answers.file(target.name).name if target.answers else "AWS_DEFAULT_REGION"
        raise OperationError(
            f"There is no stack {target.name} in {target.region}. Deploy it with `make deploy STACK={target.name}`, "
            f"or say which one you mean: STACK=… for another name, {region_of} for another region."
        )
    if "SnapshotFunction" not in stack.outputs:
        raise OperationError(
            f"The stack {stack.name} in {stack.region} is not one of this project, or it never came up "
            f"({stack.status}): `make deploy STACK={stack.name}` says more."
        )
    return stack


def chosen() -> Target:
    """The stack that the operator means; raises OperationError if that or its region is not clear."""
    return named(chosen_name() or DEFAULT_STACK)


def chosen_name() -> str | None:
    """STACK, else that of the only file of answers; None if there is none, and an OperationError if several."""
    answers.take_over_version_1()
    if name := os.environ.get("STACK"):
        return name
    names = answers.stacks()
    if len(names) > 1:
        raise OperationError(f"Say which stack: `make … STACK={names[0]}`. There are answers for {', '.join(names)}.")
    return names[0] if names else None


def named(name: str, region: str | None = None) -> Target:
    """A stack in the region given, that of its answers or that of the AWS settings; raises NoRegionError without."""
    own = answers.read(name)
    session = boto3.Session(
        # AWS_REGION is known to AWS's other tools, but not to boto3.
        region_name=region or (own and own.region) or os.environ.get("AWS_REGION") or None,
        profile_name=own.profile if own else None,
    )
    if not session.region_name:
        raise NoRegionError("Say in which region: `export AWS_DEFAULT_REGION=us-east-1`, or whichever it is.")
    return Target(name, session, own)


def describe(target: Target) -> Stack | None:
    """The stack as it is now; None if there is none."""
    try:
        (stack,) = target.session.client("cloudformation").describe_stacks(StackName=target.name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return Stack(
        target.name,
        target.session,
        stack["StackStatus"],
        {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())},
        {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", ())},
    )
