"""The stack of a command: its name, its region, and its state in AWS."""

import os
from typing import NamedTuple

import boto3
from botocore.exceptions import ClientError

from operations import answers
from operations.answers import DEFAULT_STACK, Answers
from operations.errors import OperationError


class NoRegionError(OperationError):
    """Neither the answers nor the AWS settings name a region."""


class Target(NamedTuple):
    """The stack of a command, deployed or not."""

    name: str
    session: boto3.Session  # of its region
    answers: Answers | None  # None without a file, for example in a colleague's clone

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

    @property
    def sources(self) -> list[str]:
        """The names of its sources."""
        return [name.strip() for name in self.parameters["Sources"].split(",")]

    def check_source(self, source: str) -> None:
        """Raise OperationError for a name that is not one of its sources."""
        if source not in self.sources:
            raise OperationError(
                f"The stack {self.name} in {self.region} has no source {source}. Choose one with SOURCE=…: "
                f"{', '.join(self.sources)}."
            )

    def command(self, target: str, **variables: str) -> str:
        """Return the `make` command with a target and variables for this stack."""
        return " ".join(
            ["make", target, *(f"{name}={value}" for name, value in {**variables, "STACK": self.name}.items())]
        )


def deployed() -> Stack:
    """Return the stack that the operator chose; raises OperationError if it is not deployed."""
    target = chosen()
    stack = describe(target)
    if stack is None:
        region_of = answers.file(target.name).name if target.answers else "AWS_DEFAULT_REGION"
        raise OperationError(
            f"There is no stack {target.name} in {target.region}. Deploy it with `make deploy STACK={target.name}`, "
            f"or choose another one: its name with STACK=…, its region with {region_of}."
        )
    if "SnapshotFunction" not in stack.outputs:
        raise OperationError(
            f"The stack {stack.name} in {stack.region} belongs to another project, or its first deployment failed "
            f"({stack.status}): `make deploy STACK={stack.name}` shows which."
        )
    return stack


def chosen() -> Target:
    """Return the stack that the operator chose; raises OperationError if its name or region is not clear."""
    return named(chosen_name() or DEFAULT_STACK)


def chosen_name() -> str | None:
    """Return STACK, else the stack of the only file of answers, else None; raises OperationError for several files."""
    answers.take_over_version_1()
    if name := os.environ.get("STACK"):
        return name
    names = answers.stacks()
    if len(names) > 1:
        raise OperationError(f"Choose a stack: `make … STACK={names[0]}`. There are answers for {', '.join(names)}.")
    return names[0] if names else None


def named(name: str, region: str | None = None) -> Target:
    """Return a stack in the given region, else that of its answers or the AWS settings; raises NoRegionError."""
    own = answers.read(name)
    session = boto3.Session(
        # Other tools of AWS read AWS_REGION, but boto3 does not.
        region_name=region or (own and own.region) or os.environ.get("AWS_REGION") or None,
        profile_name=own.profile if own else None,
    )
    if not session.region_name:
        raise NoRegionError("No AWS region is set: `export AWS_DEFAULT_REGION=us-east-1`, or another region.")
    return Target(name, session, own)


def describe(target: Target) -> Stack | None:
    """Return the stack as AWS describes it now; None if it does not exist."""
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
