"""What the operator answered at the first `make deploy`: a file for each stack, in SAM's own format.

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
# The tests' operators have folders of their own.
_FOLDER = Path(os.environ.get("ANSWERS_FOLDER") or ROOT)
_VERSION_1 = _FOLDER / "samconfig.local.toml"  # the only file, of whatever stack


class Answers(NamedTuple):
    """What a file holds."""

    region: str | None
    profile: str | None
    parameters: dict[str, str]


def file(stack: str) -> Path:
    """The file of a stack."""
    return _FOLDER / f"samconfig.{stack}.toml"


def stacks() -> list[str]:
    """The stacks that have a file."""
    return sorted(path.name.removeprefix("samconfig.").removesuffix(".toml") for path in _FOLDER.glob(file("*").name))


def read(stack: str) -> Answers | None:
    """The answers for a stack, None if it has no file; raises OperationError if that cannot be read."""
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
    """Write the file of a stack, whole or not at all; raises OperationError if there is one by now."""
    settings = tomlkit.parse((ROOT / "samconfig.toml").read_text())
    settings["default"]["global"]["parameters"] |= {"stack_name": stack, "region": region}
    settings["default"]["deploy"]["parameters"]["parameter_overrides"] = parameters
    path = file(stack)
    half_made = path.with_suffix(f".{os.getpid()}")
    half_made.write_text(tomlkit.dumps(settings))
    try:
        path.hardlink_to(half_made)  # a rename would replace what another `make deploy` has just written
    except FileExistsError:
        raise OperationError(
            f"Another `make deploy` has written {path.name} meanwhile. Nothing was deployed."
        ) from None
    finally:
        half_made.unlink()


def take_over_version_1() -> None:
    """Name the one file that version 1 knew after its stack."""
    if not _VERSION_1.exists():
        return
    stack = _settings(_VERSION_1).get("stack_name", DEFAULT_STACK)
    path = file(stack)
    if path == _VERSION_1:
        return
    if path.exists():
        raise OperationError(f"{_VERSION_1.name} and {path.name} are both for the stack {stack}: delete the older one.")
    _VERSION_1.rename(path)
    say(f"Your answers are in {path.name} now ({_VERSION_1.name} before): each stack has a file of its own.")


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
