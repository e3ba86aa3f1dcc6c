"""The template's parameters: which values they take, and asking for them."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from operations.answers import ROOT
from operations.errors import OperationError
from operations.terminal import ask, say


def defined() -> dict[str, dict[str, Any]]:
    """The parameters of the template that was built, by name; raises OperationError if none was."""
    path = ROOT / ".aws-sam" / "build" / "template.yaml"
    if not path.exists():
        raise OperationError("Nothing is built: `make build` first.")
    parameters: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["Parameters"]
    return parameters


def ask_for_all() -> dict[str, str]:
    """The operator's values; what CloudFormation would refuse is asked for again at once."""
    say("Enter takes the value in brackets; all can be changed later.")
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
    """Raise OperationError for what CloudFormation or SAM would refuse, or silently ignore."""
    definitions = defined()
    for name, value in values.items():
        if name not in definitions:
            raise OperationError(f"{name}: there is no such parameter, only {', '.join(definitions)}.")
        if wrong := _problem(name, value, definitions[name]):
            raise OperationError(wrong)


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The parameters that both have, with different values, as `Sources: default,team-b -> default`."""
    return [f"{name}: {old[name]} -> {new[name]}" for name in new if name in old and old[name] != new[name]]


def _problem(name: str, value: str, definition: Mapping[str, Any]) -> str | None:
    """What is wrong with a value, if anything is."""
    parts = [part.strip() for part in value.split(",")] if definition["Type"] == "CommaDelimitedList" else [value]
    if not all(_is_allowed(part, definition) for part in parts):
        rule = definition.get("ConstraintDescription") or f"must be one of {', '.join(definition['AllowedValues'])}"
        return f"{name}: {value!r} is not valid: {rule}."
    if name == "Sources":
        # Logical ids are made of the sources' letters and digits; two that are equal break the template.
        ids = Counter(re.sub(r"[_-]", "", part) for part in parts)
        if same := [part for part in parts if ids[re.sub(r"[_-]", "", part)] > 1]:
            return f"Sources: {' and '.join(same)} differ in '-' or '_' only: that takes a stack for each."
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
