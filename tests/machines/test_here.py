"""The user's settings, signals and a moved checkout: the tests that need not install anything."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.environment import way_out
from tests.machines.checkout import Checkout, copy_to
from tests.machines.proxy import Proxy
from tests.machines.user import settings
from tests.make import WITH_SIGNALS
from tests.sandbox.aws import ROOT
from tests.sandbox.sandbox import for_a_shell


def test_run_is_kept_from_all_settings_of_the_user(tmp_path: Path) -> None:
    """Standard input is closed, so that the next opened file has number 0, and the umask is 077."""
    with Proxy() as proxy:
        user = settings(tmp_path, proxy.url)
        done = subprocess.run(
            ["sh", "-c", "umask 077; exec make --silent run <&-"],
            cwd=ROOT,
            env=os.environ | user,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"JobCountChanged default" in done.stdout
    assert b"Message" in done.stdout
    assert user["LC_ALL"] == "C" or done.stdout.isascii()  # Latin-1 has no check marks and no arrows
    assert (proxy.asked, done.stderr) == ([], b"")
    assert list(Path(user["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize(
    ("whole_group", "number", "target", "printed"),
    [
        (False, signal.SIGTERM, "sandbox", b"Ctrl-C stops"),
        (True, signal.SIGHUP, "sandbox", b"Starting and deploying"),
        (True, signal.SIGTERM, "run", b"Starting an AWS"),
    ],
)
def test_a_signal_leaves_no_process_and_no_folder(
    whole_group: bool, number: signal.Signals, target: str, printed: bytes, tmp_path: Path
) -> None:
    """The signal goes to make only, as from `kill`, or to its whole process group, as from a terminal that closes."""
    with subprocess.Popen(
        [*WITH_SIGNALS, "make", "--silent", target],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    ) as make:
        assert make.stdout
        shown = b""
        while printed not in shown:
            line = make.stdout.readline()
            assert line, shown
            shown += line
        (os.killpg if whole_group else os.kill)(make.pid, number)
        rest = make.stdout.read()  # the pipe ends when the last process that has it open ends
    assert make.returncode != 0
    assert b"Traceback" not in rest
    while _processes_of(tmp_path):  # a process that is ending needs a moment
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


def _processes_of(folder: Path) -> list[str]:
    """Return the processes that have a file of this folder, such as the embedded AWS's clock, in their arguments."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout that make takes for set up."""
    checkout = copy_to(tmp_path / "My Projects" / "r&d (1)")
    tools = checkout.folder / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(sys.executable)
    (tools.parent / ".ready").write_text(f"{checkout.folder.resolve()}\n{sys.implementation.cache_tag}\n")
    return checkout


def _sets_up(checkout: Checkout) -> bool:
    return "Installing the tools" in checkout.make("--dry-run", "lint", environment=dict(os.environ)).output


def test_a_checkout_is_set_up_once(checkout: Checkout) -> None:
    assert not _sets_up(checkout)


def test_a_moved_checkout_is_set_up_again(checkout: Checkout) -> None:
    assert _sets_up(checkout.moved_to(checkout.folder.with_name("bob's")))


def test_checkout_is_set_up_again_after_its_python_was_removed(checkout: Checkout) -> None:
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert _sets_up(checkout)


def test_the_function_is_built_again_only_if_it_differs(checkout: Checkout) -> None:
    def builds() -> bool:
        return "Building" in checkout.make("--dry-run", "build", environment=dict(os.environ)).output

    modules = sorted(
        str(path.relative_to(checkout.folder)) for path in checkout.folder.glob("functions/snapshot/**/*.py")
    )
    built = checkout.folder / ".aws-sam" / "build" / "template.yaml"
    built.parent.mkdir(parents=True)
    built.touch()
    (checkout.folder / ".aws-sam" / "modules").write_text(" ".join(modules) + "\n")
    assert not builds()
    (checkout.folder / "functions" / "snapshot" / "__pycache__").mkdir()
    assert not builds()
    (checkout.folder / modules[-1]).unlink()
    assert builds()


def test_a_shell_of_the_sandbox_has_no_other_settings_of_aws() -> None:
    lines = for_a_shell({"AWS_CA_BUNDLE": "/tmp/r&d (1)/it's.pem", "AWS_DEFAULT_REGION": "us-east-1"})
    user = {"AWS_PROFILE": "missing", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "PATH": os.environ["PATH"]}
    printed = subprocess.run(["sh", "-c", f"{lines}\nenv"], env=user, capture_output=True, text=True, check=True).stdout
    settings = {line for line in printed.splitlines() if line.startswith("AWS_")}
    assert settings == {"AWS_CA_BUNDLE=/tmp/r&d (1)/it's.pem", "AWS_DEFAULT_REGION=us-east-1"}


@pytest.mark.parametrize(
    ("own", "direct"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "example.com"}, "example.com,127.0.0.1,localhost"),
        ({"no_proxy": "*", "NO_PROXY": "example.com"}, "*"),
    ],
)
def test_proxy_is_not_used_for_loopback(own: dict[str, str], direct: str) -> None:
    proxy = {"HTTPS_PROXY": "http://proxy.example:3128", "SSL_CERT_FILE": "/company.pem"}
    assert way_out({**own, **proxy, "AWS_PROFILE": "x"}) == proxy | {"NO_PROXY": direct, "no_proxy": direct}
