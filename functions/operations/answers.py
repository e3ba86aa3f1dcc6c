"""The operator's answers at the first `make deploy`: a file for each stack, in SAM's own format.

SAM reads it (`--config-file`), the operator edits it, and Git ignores it.
"""

import os
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from operations.errors import OperationError
from operations.terminal import say

DEFAULT_STACK = "fine-tuning-snapshots"
ROOT = Path(__file__).parents[2]
_VERSION_1 = "local"  # samconfig.local.toml was the only file of version 1, for any stack


class Answers(NamedTuple):
    """The content of a file."""

    region: str | None
    profile: str | None
    parameters: dict[str, str]


def file(stack: str) -> Path:
    """Return the path of a stack's file."""
    # The operators in the tests have their own folders.
    return Path(os.environ.get("ANSWERS_FOLDER") or ROOT, f"samconfig.{stack}.toml")


def stacks() -> list[str]:
    """Return the names of the stacks that have a file."""
    every = file("*")
    return sorted(path.name.removeprefix("samconfig.").removesuffix(".toml") for path in every.parent.glob(every.name))


def read(stack: str) -> Answers | None:
    """Return the answers for a stack, None if it has no file; raises OperationError if the file cannot be read."""
    path = file(stack)
    if not path.exists():
        return None
    settings = _settings(path)
    try:
        parameters = _parameters(settings.get("parameter_overrides", {}))
    except ValueError as error:
        raise OperationError(f"{path.name}: parameter_overrides cannot be read ({error}).") from None
    return Answers(settings.get("region"), settings.get("profile"), parameters)


def write(stack: str, region: str, parameters: Mapping[str, str]) -> None:
    """Write the file of a stack, completely or not at all; raises OperationError if it exists already."""
    settings = tomlkit.parse((ROOT / "samconfig.toml").read_text())
    settings["default"]["global"]["parameters"] |= {"stack_name": stack, "region": region}
    settings["default"]["deploy"]["parameters"]["parameter_overrides"] = parameters
    path = file(stack)
    half_made = path.with_name(f"{path.name}.{os.getpid()}")
    half_made.write_text(tomlkit.dumps(settings))
    try:
        path.hardlink_to(half_made)  # a rename would replace the file of another `make deploy`
    except (FileExistsError, FileNotFoundError):
        raise OperationError(
            f"Another `make deploy` has written {path.name} meanwhile. Nothing was deployed."
        ) from None
    finally:
        half_made.unlink(missing_ok=True)


def remove_half_made(stack: str) -> None:
    """Remove what a `make deploy` left that was killed while it wrote the file of a stack."""
    path = file(stack)
    for half_made in path.parent.glob(f"{path.name}.*"):
        half_made.unlink(missing_ok=True)


def take_over_version_1() -> None:
    """Rename the only file of version 1 after its stack; raises OperationError if both files exist."""
    old = file(_VERSION_1)
    if not old.exists():
        return
    stack = _settings(old).get("stack_name", DEFAULT_STACK)
    path = file(stack)
    if path == old:
        return
    if path.exists():
        raise OperationError(f"{old.name} and {path.name} are both for the stack {stack}: delete the older one.")
    old.rename(path)
    say(f"Your answers have moved from {old.name} to {path.name}: each stack now has its own file.")


def _settings(path: Path) -> dict[str, Any]:
    """Return SAM's settings for a deployment; raises OperationError if the file cannot be read."""
    try:
        sections = tomllib.loads(path.read_text()).get("default", {})
    except ValueError as error:
        raise OperationError(f"{path.name} cannot be read ({error}): correct it or delete it.") from None
    return {
        name: value
        for section in ("global", "deploy")  # the second one overrides the first
        for name, value in sections.get(section, {}).get("parameters", {}).items()
    }


def _parameters(overrides: Any) -> dict[str, str]:
    """Return the template's parameters, from a table or from SAM's own form: `Name="value" …` in one or more texts."""
    if isinstance(overrides, dict):
        return {name: str(value) for name, value in overrides.items()}
    words = shlex.split(overrides if isinstance(overrides, str) else " ".join(overrides))
    return dict(word.split("=", 1) for word in words)
