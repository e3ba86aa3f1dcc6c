"""The documents and the template, for tests that compare them with the code or run their commands."""

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
    """Return the paths of all documents."""
    folders = (ROOT / name for name in (".github", "events", "functions", "tests"))
    return [README, *(path for folder in folders for path in folder.rglob("*.md"))]


def section(title: str, document: Path = README) -> str:
    """Return the section of a document with this title, with its subsections."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*)", document.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return re.split(rf"^#{{1,{len(found[1])}}} ", found[2], maxsplit=1, flags=re.MULTILINE)[0]


def examples(text: str, language: str) -> list[str]:
    """Return the code blocks of a language in a text."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def table(*header: str, document: Path = README) -> list[list[str]]:
    """Return the rows of the table with this header."""
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
    """Run a command with the project's tools and the embedded AWS, without a warning; return its output."""
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
    """A loader that reads the short forms of CloudFormation's functions as plain values."""


CloudFormationLoader.add_multi_constructor("!", lambda loader, _, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader=CloudFormationLoader)
