"""The README's tables are those of the code and the template."""

import re
from pathlib import Path
from typing import Any

import yaml
from snapshot.job import Job

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


class CloudFormationLoader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as plain values."""


CloudFormationLoader.add_multi_constructor("!", lambda loader, _, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader=CloudFormationLoader)


def table(*header: str) -> list[list[str]]:
    """The cells of the table with this header, code marks removed."""
    lines = iter(README.splitlines())
    assert f"| {' | '.join(header)} |" in lines
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_parameters() -> None:
    parameters = {
        f"`{name}`": (f"`{parameter['Default']}`", parameter["Description"])
        for name, parameter in TEMPLATE["Parameters"].items()
    }
    assert {name: (default, what) for name, default, what in table("parameter", "default", "what")} == parameters


def test_parameters_are_grouped_and_constrained() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(TEMPLATE["Parameters"])
    assert len(TEMPLATE["Parameters"]) <= 12
    for name, parameter in TEMPLATE["Parameters"].items():
        assert "AllowedValues" in parameter or "ConstraintDescription" in parameter, name


def test_outputs_are_described() -> None:
    assert all(output["Description"] for output in TEMPLATE["Outputs"].values())


def test_columns() -> None:
    assert [name.strip("`") for name, _ in table("column", "what")] == list(Job._fields)


def test_metrics() -> None:
    code = (ROOT / "functions/snapshot/telemetry.py").read_text()
    emitted = re.findall(r'"(\w+)", MetricUnit\.(\w+)', code)
    assert {(name.strip("`"), unit) for name, unit, _ in table("metric", "unit", "what")} == set(emitted)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ (?:\w+=\S+ )*)make ([a-z]+)", README)) <= targets
