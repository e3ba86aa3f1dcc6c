"""The make targets that an operator uses, against the embedded AWS."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.stack import sam_environment


class Operator:
    """Someone at a terminal, with credentials for the account and a configuration of their own."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self._environment = sam_environment(aws) | {"HOME": str(folder)}
        self._config = folder / "samconfig.local.toml"

    def event(self, source: str) -> Path:
        """A file with the event for a source."""
        path = self._config.with_name("event.json")
        path.write_text(json.dumps({"source": source}))
        return path

    def set_parameter(self, name: str, before: str, after: str) -> None:
        """Edit the configuration that the first deployment wrote."""
        text = self._config.read_text()
        assert f'{name}=\\"{before}\\"' in text
        self._config.write_text(text.replace(f'{name}=\\"{before}\\"', f'{name}=\\"{after}\\"'))

    def make(self, *words: str, given: str = "", status: int = 0) -> str:
        """Run make with some standard input; returns what it prints."""
        environment = {name: value for name, value in self._environment.items() if not name.startswith("MAKE")}
        done = subprocess.run(
            ["make", "--silent", *words, f"CONFIG={self._config}"],
            cwd=ROOT,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + (done.stderr if status else "")


@pytest.fixture(scope="module")
def operator(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(aws, tmp_path_factory.mktemp("home"))


def test_secret_deploy_invoke_latest_logs(operator: Operator, shared_api: SimulatedApi) -> None:
    secret = shared_api.secret
    prefix = "SECRET_PREFIX=operated/"
    assert operator.make("secret", "SOURCE=mine", prefix, given="sk-not-yet-the-right-one") == "operated/mine\n"
    assert operator.make("secret", "SOURCE=mine", prefix, given=secret + "\n") == "operated/mine\n"

    # Guided: the stack's name, the region, then a question for each parameter, and some for SAM itself.
    answers = ["operated", "us-east-1", "mine", "operated/", "", "", "DISABLED", *[""] * 7, "n", "y", "n", "y", "", ""]
    told = operator.make("deploy", given="\n".join(answers) + "\n")
    assert "Successfully created/updated stack - operated" in told
    assert "No changes to deploy" in operator.make("deploy")
    assert operator.make("secret", "SOURCE=other", given="sk-other") == "operated/other\n"  # the prefix is known now
    operator.set_parameter("SnapshotMissingHours", "2", "3")
    assert "Successfully created/updated stack - operated" in operator.make("deploy")

    assert "make invoke SOURCE=mine takes one" in operator.make("latest", "SOURCE=mine", status=2)
    assert json.loads(operator.make("invoke", "SOURCE=mine"))["full_listing"]
    summary = json.loads(operator.make("invoke", f"EVENT={operator.event('mine')}"))
    assert summary["job_count"] == 250
    table = operator.make("latest", "SOURCE=mine")
    assert table.count("\n") == 251
    logged = operator.make("logs")
    assert "Snapshot taken" in logged
    assert "CloudWatchMetrics" not in logged


def test_what_is_not_there_is_told(operator: Operator) -> None:
    assert "does not exist" in operator.make("invoke", "STACK=no-such-stack", status=2)
    assert "no-such-stack" in operator.make("latest", "STACK=no-such-stack", status=2)


def test_an_empty_key_is_refused(operator: Operator) -> None:
    assert "No key was given" in operator.make("secret", "SOURCE=empty", given="", status=2)


def test_help_lists_every_target(operator: Operator) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split(": ")[1] for line in makefile.splitlines() if line.startswith(".PHONY: ")}
    listed = {line.split()[1] for line in operator.make("help").splitlines() if line.startswith("  make ")}
    assert targets == listed
