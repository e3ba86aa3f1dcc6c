"""The template's parameters: checks of their values, and prompts for them."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from operations.answers import ROOT
from operations.errors import OperationError
from operations.terminal import ask, say

BUILT_TEMPLATE = ROOT / ".aws-sam" / "build" / "template.yaml"


def defined() -> dict[str, dict[str, Any]]:
    """Return the parameters of the built template, by name; raises OperationError if nothing is built."""
    if not BUILT_TEMPLATE.exists():
        raise OperationError("Nothing is built: run `make build` first.")
    parameters: dict[str, dict[str, Any]] = yaml.safe_load(BUILT_TEMPLATE.read_text())["Parameters"]
    return parameters


def ask_for_all() -> dict[str, str]:
    """Ask the operator for all values, and again for a value that CloudFormation would refuse."""
    say("Enter takes the value in brackets. You can change every value later.")
    return {name: _ask_for(name, definition) for name, definition in defined().items()}


def _ask_for(name: str, definition: Mapping[str, Any]) -> str:
    say(f"\n{definition['Description']}")
    while True:
        value = ask(f"{name} [{definition['Default']}]:") or str(definition["Default"])
        wrong = _problem(name, value, definition)
        if wrong is None:
            return value
        say(wrong)


def check(values: Mapping[str, str]) -> None:
    """Raise OperationError for values that CloudFormation or SAM would refuse or silently ignore."""
    definitions = defined()
    for name, value in values.items():
        if name not in definitions:
            raise OperationError(f"{name}: there is no such parameter, only {', '.join(definitions)}.")
        if wrong := _problem(name, value, definitions[name]):
            raise OperationError(wrong)


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the parameters that both have with different values, like `Sources: default,team-b -> default`."""
    return [f"{name}: {old[name]} -> {new[name]}" for name in new if name in old and old[name] != new[name]]


def _problem(name: str, value: str, definition: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a value; None if nothing is."""
    parts = [part.strip() for part in value.split(",")] if definition["Type"] == "CommaDelimitedList" else [value]
    if not all(_is_allowed(part, definition) for part in parts):
        rule = definition.get("ConstraintDescription") or f"must be one of {', '.join(definition['AllowedValues'])}"
        return f"{name}: {value!r} is not valid: {rule}."
    if name == "Sources":
        # The template's logical ids have only a source's letters and digits, and must differ.
        ids = Counter(re.sub(r"[_-]", "", part) for part in parts)
        if same := [part for part in parts if ids[re.sub(r"[_-]", "", part)] > 1]:
            return f"Sources: {' and '.join(same)} differ in '-' or '_' only: give each one its own stack."
    return None


def _is_allowed(value: str, definition: Mapping[str, Any]) -> bool:
    if definition["Type"] == "Number":
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return False
        least, most = definition.get("MinValue", float("-inf")), definition.get("MaxValue", float("inf"))
        return bool(least <= float(value) <= most)
    if "AllowedValues" in definition:
        return value in definition["AllowedValues"]
    return re.fullmatch(definition["AllowedPattern"], value) is not None
