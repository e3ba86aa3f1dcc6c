"""The artifact is small and complete, and compiled if the machine has Lambda's version of Python."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import pytest

from tests.artifact import ARTIFACT, compile_files, runtime_python
from tests.documents import TEMPLATE

RUNTIME = TEMPLATE["Resources"]["SnapshotFunction"]["Properties"]["Runtime"].removeprefix("python")
USE_EVERY_SERVICE = """
import sys
sys.path.insert(0, sys.argv[1])
from snapshot import app, aws
aws.s3_client(), aws.secrets_client(), aws.events_client()
foreign = [m.__name__ for m in sys.modules.values() if "site-packages" in str(getattr(m, "__file__", ""))]
assert not foreign, foreign
"""
# The interpreter raises this event for each file that it compiles.
PRINT_COMPILED = """
import sys
sys.addaudithook(lambda event, args: event == "compile" and str(args[1]).endswith(".py") and print(args[1]))
"""
CHECK_COMPILED = """
import importlib.util, marshal, pathlib, sys
artifact = pathlib.Path(sys.argv[1])
for source in artifact.rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()
    unchecked, source_hash = b"\\1\\0\\0\\0", importlib.util.source_hash(source.read_bytes())
    assert compiled[:16] == importlib.util.MAGIC_NUMBER + unchecked + source_hash, source
    assert marshal.loads(compiled[16:]).co_filename == f"/var/task/{source.relative_to(artifact)}"
"""
PRINT_ENDPOINTS = """
import itertools, json, sys
sys.path.insert(0, sys.argv[1])
import boto3
from botocore.config import Config

class Sent(BaseException):
    pass

def send(request, **_):
    raise Sent(request.url, *request.headers["Authorization"].decode().split("/")[2:4])

calls = {
    "s3": lambda client: client.put_object(Bucket="bucket", Key="key", Body=b""),
    "secretsmanager": lambda client: client.get_secret_value(SecretId="secret"),
    "events": lambda client: client.put_events(Entries=[]),
}
found = []
for (service, call), region, fips, dualstack in itertools.product(calls.items(), sys.argv[2:], *[[False, True]] * 2):
    config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack)
    try:
        client = boto3.client(service, region, config=config, aws_access_key_id="a", aws_secret_access_key="s")
        client.meta.events.register("before-send", send)
        call(client)
    except Sent as sent:
        found.append([service, region, client.meta.endpoint_url, client.meta.partition, *sent.args])
    except Exception as error:  # no such variant in this partition
        found.append([service, region, str(error)])
print(json.dumps(found))
"""
REGIONS = ("us-east-1", "eu-central-1", "il-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")


def run(code: str, *arguments: str | Path, python: str | None = None) -> str:
    """Run code without installed packages, because the artifact must not need Lambda's either; return what it prints.

    Imports may write compiled files, which the next deployment would upload: only copies of ARTIFACT are imported.
    """
    done = subprocess.run(
        [python or sys.executable, "-I", "-S", "-c", code, *arguments],
        env={"SNAPSHOT_BUCKET": "b", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A copy in which a test may write. Its files are newer than the compiled files say."""
    return Path(shutil.copytree(ARTIFACT, tmp_path / "artifact", copy_function=shutil.copyfile))


def content(folder: Path, pattern: str = "*") -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob(pattern) if path.is_file()}


def test_artifact_is_small(tmp_path: Path) -> None:
    # 5.8 MB, half of it compiled files. A cold start loads all of it; another service's API model or another package
    # has to be meant.
    archive = shutil.make_archive(str(tmp_path / "artifact"), "zip", ARTIFACT)
    assert Path(archive).stat().st_size <= 6_200_000


def test_artifact_needs_no_other_package(artifact: Path) -> None:
    run(USE_EVERY_SERVICE, artifact)


def test_artifact_is_pure_python() -> None:
    assert list(ARTIFACT.rglob("*.so")) == []


def test_every_module_is_compiled_for_the_runtime_and_nothing_else_is() -> None:
    python = runtime_python()
    modules = ARTIFACT.rglob("*.py") if python else []
    tag = f"cpython-{RUNTIME.replace('.', '')}"
    assert {*ARTIFACT.rglob("*.pyc")} == {path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in modules}
    if python:
        run(CHECK_COMPILED, ARTIFACT, python=python)


def test_cold_start_compiles_nothing_and_writes_nothing(artifact: Path) -> None:
    before, python = content(artifact), runtime_python()
    compiled = run(PRINT_COMPILED + USE_EVERY_SERVICE, artifact, python=python).splitlines()
    assert (compiled == []) == bool(python)
    assert (content(artifact) == before) == bool(python)


def test_compiled_files_are_reproducible(artifact: Path) -> None:
    for path in artifact.rglob("__pycache__"):
        shutil.rmtree(path)
    compile_files(artifact)
    assert content(artifact) == content(ARTIFACT)


def test_build_without_the_runtimes_python_says_so(artifact: Path) -> None:
    before = content(artifact)
    note = compile_files(artifact, "9.99")
    assert note.startswith("Note: no Python 9.99 was found")
    assert "uv python install 9.99" in note
    assert content(artifact) == before


def test_endpoints_are_those_of_botocore(artifact: Path) -> None:
    installed = Path(botocore.__file__).parents[1]
    cut, whole = (json.loads(run(PRINT_ENDPOINTS, folder, *REGIONS)) for folder in (artifact, installed))
    assert cut == whole
    addresses = " ".join(row[2] for row in cut)
    assert all(part in addresses for part in ("amazonaws.com.cn", "us-gov-west-1", "fips", "dualstack", "amazonaws.eu"))
