"""Which stack a command is about, in which region, and what AWS says of it."""

import os
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from operations.errors import OperationError
from operations.terminal import say

DEFAULT_NAME = "fine-tuning-snapshots"
# Where the files of answers are; the tests have a folder of their own.
_FOLDER = Path(os.environ.get("ANSWERS_FOLDER") or Path(__file__).parents[2])


class Answers(NamedTuple):
    """What samconfig.STACK.toml holds: the answers of the first `make deploy`, as edited since."""

    region: str | None
    profile: str | None
    parameters: dict[str, str]


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
        raise OperationError(
            f"There is no stack {target.name} in {target.region}. Deploy it with `make deploy STACK={target.name}`, "
            "or say which one you mean: STACK for its name, AWS_DEFAULT_REGION for its region."
        )
    if "SnapshotFunction" not in stack.outputs:
        raise OperationError(
            f"The stack {stack.name} in {stack.region} is not one of this project, or it never came up "
            f"({stack.status}): `make deploy STACK={stack.name}` says more."
        )
    return stack


def chosen() -> Target:
    """The stack that the operator means; raises OperationError if that or its region is not clear."""
    target = with_region(chosen_name() or DEFAULT_NAME)
    if target is None:
        raise OperationError("Say in which region: `export AWS_DEFAULT_REGION=us-east-1`, or whichever it is.")
    return target


def chosen_name() -> str | None:
    """STACK, else that of the only file of answers; None if there is none, and an OperationError if several."""
    _take_over_version_1()
    if name := os.environ.get("STACK"):
        return name
    names = sorted(path.name.split(".", 1)[1].removesuffix(".toml") for path in _FOLDER.glob("samconfig.*.toml"))
    if len(names) > 1:
        raise OperationError(f"Say which stack: STACK={' or STACK='.join(names)}.")
    return names[0] if names else None


def with_region(name: str, region: str | None = None) -> Target | None:
    """A stack in the region given, that of its answers or that of the AWS settings; None if nothing says which."""
    path = answers_file(name)
    answers = read(path) if path.exists() else None
    session = boto3.Session(
        # AWS_REGION is not known to boto3, but to AWS's other tools.
        region_name=region or (answers and answers.region) or os.environ.get("AWS_REGION") or None,
        profile_name=answers.profile if answers else None,
    )
    return Target(name, session, answers) if session.region_name else None


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


def answers_file(name: str) -> Path:
    """The file of a stack's answers, in SAM's own format."""
    return _FOLDER / f"samconfig.{name}.toml"


def read(path: Path) -> Answers:
    """The answers in a file of SAM's; raises OperationError if it is none."""
    settings = _settings(path)
    try:
        parameters = _parameters(settings.get("parameter_overrides", {}))
    except ValueError as error:
        raise OperationError(f"{path.name}: parameter_overrides cannot be read ({error}).") from None
    return Answers(settings.get("region"), settings.get("profile"), parameters)


def _settings(path: Path) -> dict[str, Any]:
    """SAM's settings for a deployment."""
    try:
        sections = tomllib.loads(path.read_text()).get("default", {})
    except ValueError as error:
        raise OperationError(f"{path.name} cannot be read ({error}): mend it, or delete it.") from None
    return {
        name: value
        for section in ("global", "deploy")  # the later one wins
        for name, value in sections.get(section, {}).get("parameters", {}).items()
    }


def _parameters(overrides: Any) -> dict[str, str]:
    """The template's parameters: a table, or as SAM writes them, `Name="value" …` in one text or several."""
    if isinstance(overrides, dict):
        return {name: str(value) for name, value in overrides.items()}
    words = shlex.split(overrides if isinstance(overrides, str) else " ".join(overrides))
    return dict(word.split("=", 1) for word in words)


def _take_over_version_1() -> None:
    """Name the one file that version 1 knew after its stack."""
    old = _FOLDER / "samconfig.local.toml"
    if not old.exists() or (name := _settings(old).get("stack_name", DEFAULT_NAME)) == "local":
        return
    new = answers_file(name)
    if new.exists():
        raise OperationError(f"{old.name} and {new.name} are both for the stack {name}: delete the older one.")
    old.rename(new)
    say(f"Your answers are in {new.name} now ({old.name} before): each stack has its own file.")
