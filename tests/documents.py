"""Documents and template, for the tests that hold them against the code, and the commands in the documents."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import sam_environment

README = ROOT / "README.md"
EVENTS = ROOT / "events" / "README.md"
FUNCTION = ROOT / "functions" / "snapshot" / "README.md"
SERVERS = ROOT / "functions" / "snapshot" / "api" / "README.md"
OPERATIONS = ROOT / "functions" / "operations" / "README.md"
TESTS = ROOT / "tests" / "README.md"


def documents() -> list[Path]:
    """Every document of the project."""
    folders = (ROOT / name for name in (".github", "events", "functions", "tests"))
    return [README, *(path for folder in folders for path in folder.rglob("*.md"))]


def section(title: str, document: Path = README) -> str:
    """The section of a document with this title, its subsections included."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*)", document.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return re.split(rf"^#{{1,{len(found[1])}}} ", found[2], maxsplit=1, flags=re.MULTILINE)[0]


def examples(text: str, language: str) -> list[str]:
    """The code blocks of a language in a part of a document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def table(*header: str, document: Path = README) -> list[list[str]]:
    """The cells of the table with this header."""
    lines = iter(document.read_text().splitlines())
    assert f"| {' | '.join(header)} |" in lines
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def run(aws: EmbeddedAws, *command: str, **environment: str) -> str:
    """What a command prints for a user of the embedded AWS with the project's tools; it must succeed, and not warn."""
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        command,
        env=sam_environment(aws) | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


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
