"""The make targets that an operator uses, against the embedded AWS."""

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.stack.operator import Operator


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


# --- make secret ---

PREFIX = "SECRET_PREFIX=checked/"
KEY = "sk-0123456789abcdef"
NOT_UTF_8 = "save it as UTF-8"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "No key was given"),
    "white space": (" \n", "No key was given"),
    "white space inside": (f"{KEY} {KEY}", "white space"),
    "two lines": (f"{KEY}\n{KEY}", "white space"),
    "a shell's line": (f"OPENAI_API_KEY={KEY}\n", "NAME=value"),
    "quotation marks": (f'"{KEY}"\n', "quotation mark"),
    "a dollar and a backtick": (f"`echo $HOME`{KEY}", "quotation mark"),
    "broken JSON": (f'{{"api_key": "{KEY}"', "begins like JSON but is none"),
    "an unknown field": (f'{{"api_key": "{KEY}", "apikey": "{KEY}"}}', "field other than api_key"),
    "a quoted key in JSON": (f'{{"api_key": "\\"{KEY}\\""}}', "quotation mark"),
    "Authorization": (f'{{"api_key": "k", "default_headers": {{"authorization": "{KEY}"}}}}', "must not hold Auth"),
    "a base_url for all to read": (f'{{"api_key": "{KEY}", "base_url": "http://x.y/v1"}}', "must begin with https"),
    "a byte order mark": (KEY.encode("utf-8-sig"), NOT_UTF_8),
    "UTF-16": (KEY.encode("utf-16"), NOT_UTF_8),
    "UTF-16 without a mark": (KEY.encode("utf-16-le"), NOT_UTF_8),
    "UTF-16 of the other order": (KEY.encode("utf-16-be"), NOT_UTF_8),
    "Latin-1": (f"{KEY}ä".encode("latin-1"), NOT_UTF_8),
}


def test_a_name_that_no_run_would_take_is_refused(operator: Operator) -> None:
    assert "source 'a.b' is not valid" in operator.make("secret", "SOURCE=a.b", PREFIX, given=KEY, status=2)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_run_would_refuse_is_not_stored(kind: str, operator: Operator, secrets: Any) -> None:
    value, message = REFUSED[kind]
    told = operator.make("secret", "SOURCE=refused", PREFIX, given=value, status=2)
    assert message in told
    assert "sk-" not in told
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="checked/refused")


def test_a_refused_value_leaves_the_stored_one(operator: Operator, secrets: Any) -> None:
    operator.make("secret", "SOURCE=kept", PREFIX, given=KEY)
    operator.make("secret", "SOURCE=kept", PREFIX, given=f"'{KEY}-new'", status=2)
    assert secrets.get_secret_value(SecretId="checked/kept")["SecretString"] == KEY


@pytest.mark.parametrize(
    "value", [KEY, "c2lnbmF0dXJl==", r"odd\key%s$(id)", '{\n "api_key": "k",\n "default_headers": {"a": "b\'ü c"}\n}']
)
def test_a_value_is_stored_as_it_is(value: str, operator: Operator, secrets: Any) -> None:
    operator.make("secret", "SOURCE=whole", PREFIX, given=f"\n{value} \n")
    assert secrets.get_secret_value(SecretId="checked/whole")["SecretString"] == value


def test_a_key_is_not_echoed_at_a_terminal(operator: Operator, secrets: Any) -> None:
    # A second line, as of JSON that is pasted, must not reach the shell after make either.
    shown = operator.make_at_a_terminal(
        "secret", "SOURCE=typed", PREFIX, prompt="not echoed): ", typed=f"{KEY}\nnext\n"
    )
    assert "checked/typed" in shown
    assert KEY not in shown
    assert secrets.get_secret_value(SecretId="checked/typed")["SecretString"] == KEY


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at the processes of Linux")
def test_a_key_is_in_no_argument_and_no_environment(operator: Operator) -> None:
    with seen_in_processes(KEY.encode()) as seen:
        operator.make("secret", "SOURCE=hidden", PREFIX, given=KEY)
    assert seen.pop("looks") > 10
    assert seen == {}


@contextmanager
def seen_in_processes(text: bytes) -> Iterator[dict[str, int]]:
    """How often the arguments and environments of all processes held a text, by file; and at how many looks."""
    seen = {"looks": 0}
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen["looks"] += 1
            for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                with contextlib.suppress(OSError):
                    if text in path.read_bytes():
                        seen[path.name] = seen.get(path.name, 0) + 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@pytest.fixture
def secrets(aws: EmbeddedAws) -> Any:
    return aws.client("secretsmanager")


def test_help_lists_every_target(operator: Operator) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split(": ")[1] for line in makefile.splitlines() if line.startswith(".PHONY: ")}
    listed = {line.split()[1] for line in operator.make("help").splitlines() if line.startswith("  make ")}
    assert targets == listed
