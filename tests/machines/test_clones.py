"""Fresh clones in unusual folders and with unusual settings. They install packages, so they are not in `make test`."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.checkout import Checkout, copy_to
from tests.machines.proxy import Proxy
from tests.machines.user import settings
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws

AWKS = ["awk", "mawk", "gawk", "original-awk", "busybox awk"]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def unusual(user: dict[str, str], proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All unusual settings at once; the caches of pip and uv are used, so that nothing is downloaded twice."""
    caches = {
        name: str(_cache(user) / folder) for name, folder in {"UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip"}.items()
    }
    return user | settings(tmp_path_factory.mktemp("home"), proxy.url) | caches


def _cache(user: dict[str, str]) -> Path:
    return Path(user.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return copy_to(tmp_path_factory.mktemp("clones") / "My Projects" / "r&d (1)")


@pytest.mark.parametrize("target", ["run", "unit", "validate", "build", "help"])
def test_clone_with_all_unusual_settings_works(
    target: str, clone: Checkout, unusual: dict[str, str], proxy: Proxy
) -> None:
    printed = clone.make(target, environment=unusual)
    assert "Traceback" not in printed.errors
    assert proxy.asked  # the packages came through the proxy
    assert not [host for host in proxy.asked if "127.0.0.1" in host or "localhost" in host]
    assert not (Path(unusual["HOME"]) / "elsewhere").exists()


def test_standard_output_is_the_answer(
    clone: Checkout, unusual: dict[str, str], aws: EmbeddedAws, api: SimulatedApi
) -> None:
    """The operator's commands, with the settings of the embedded AWS."""
    settings = {name: value for name, value in unusual.items() if not name.startswith("AWS_")}
    operator = settings | aws.environment | {"CONFIRM": "yes"}
    stack = "STACK=other"
    clone.make("secret", stack, environment=operator, given=api.secret)
    deployed = clone.make("deploy", stack, environment=operator, given="\n" * 30)
    assert deployed.output == "The stack other in us-east-1 is deployed.\n"
    assert re.fullmatch(r'\{"source": "default".*\}\n', clone.make("invoke", stack, environment=operator).output)
    latest = clone.make("latest", stack, environment=operator).output.splitlines()
    assert (latest[0].split("\t")[0], len(latest)) == ("created_at", len(api.jobs) + 1)
    assert all(
        re.match(r"20\d\d-", line) for line in clone.make("logs", stack, environment=operator).output.splitlines()
    )
    again = clone.make("deploy", stack, environment=operator)
    assert again.output == "Nothing changes: the stack other in us-east-1 is up to date.\n"


@pytest.mark.parametrize("awk", AWKS)
def test_help_works_with_every_awk(awk: str, clone: Checkout, user: dict[str, str], tmp_path: Path) -> None:
    program, *_ = awk.split()
    if not (found := shutil.which(program)):
        pytest.skip(f"{program} is not on this machine")
    (tmp_path / "awk").symlink_to(found)
    path = {"PATH": f"{tmp_path}:{user['PATH']}"}
    assert "\n  make run        Take a snapshot" in clone.make("help", environment=user | path).output


def test_busybox_is_enough(clone: Checkout, user: dict[str, str], tmp_path: Path) -> None:
    """The shell and all other commands of the system are busybox."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("busybox is not on this machine")
    subprocess.run([busybox, "--install", "-s", tmp_path], check=True)
    path = {"PATH": f"{tmp_path}:{user['PATH']}"}
    (clone.folder / "template.yaml").touch()
    for target in ("build", "lint", "run"):
        clone.make(f"SHELL={tmp_path / 'sh'}", target, environment=user | path)


def test_a_moved_clone_is_set_up_again(clone: Checkout, user: dict[str, str]) -> None:
    """At the end the clone has its first name again, which the next tests use."""
    moved = clone.moved_to(clone.folder.with_name("bob's"))
    try:
        moved.make("build", environment=user)
        tool = moved.folder / ".venv" / "bin" / "sam"  # the README puts it on the PATH
        assert b"SAM CLI" in subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
    finally:
        moved.moved_to(clone.folder)


def test_clone_is_set_up_again_after_its_python_was_removed(clone: Checkout, user: dict[str, str]) -> None:
    python = clone.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    clone.make("lint", environment=user)
    assert python.resolve().exists()


def test_target_of_a_link_is_not_removed(clone: Checkout, user: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    tools = clone.folder / ".venv"
    shutil.rmtree(tools)
    tools.symlink_to(tmp_path)
    clone.make("lint", environment=user)
    assert not tools.is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_home_folder_may_be_read_only(clone: Checkout, user: dict[str, str]) -> None:
    (clone.folder / "template.yaml").touch()
    clone.make("run", environment=user | {"HOME": "/dev/null/home"})  # also not by root


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"PYTHON": "/nowhere/python"}, "/nowhere/python"),
        ({"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}, "for a mirror set PIP_INDEX_URL"),
    ],
)
def test_failed_set_up_is_one_sentence(
    settings: dict[str, str], reason: str, user: dict[str, str], tmp_path: Path
) -> None:
    clone = copy_to(tmp_path / "clone")
    assert reason in clone.make("lint", environment=user | settings, status=2).errors


def test_clean_removes_what_was_installed(clone: Checkout, user: dict[str, str]) -> None:
    clone.make("clean", environment=user)
    assert not (clone.folder / ".venv").exists()
    assert (clone.folder / "README.md").exists()
