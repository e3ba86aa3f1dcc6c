"""README and template, for the tests that hold them against the code, and the README's commands."""

import os
import re
import subprocess
from typing import Any

import yaml

from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import sam_environment

README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    """The README's section of the second level with this title."""
    _, found, rest = README.partition(f"\n## {title}\n")
    assert found, title
    return rest.partition("\n## ")[0]


def examples(text: str, language: str) -> list[str]:
    """The code blocks of a language in a part of the README."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(aws: EmbeddedAws, *command: str, **environment: str) -> str:
    """What a command prints for a user of the embedded AWS who has the project's tools; it has to go well."""
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
