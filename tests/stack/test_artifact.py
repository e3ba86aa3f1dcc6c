"""What is uploaded: small, and enough by itself."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.sandbox.aws import ROOT

ARTIFACT = ROOT / ".aws-sam" / "build" / "SnapshotFunction"
USE_EVERY_SERVICE = """
import sys
sys.path.insert(0, sys.argv[1])
from snapshot import app, aws
aws.s3_client(), aws.secrets_client(), aws.events_client()
foreign = [m.__name__ for m in sys.modules.values() if "site-packages" in str(getattr(m, "__file__", ""))]
assert not foreign, foreign
print("ready")
"""


def test_the_artifact_is_small(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "artifact"), "zip", ARTIFACT)
    assert Path(archive).stat().st_size <= 4 << 20


def test_the_artifact_needs_nothing_else(tmp_path: Path) -> None:
    # -I and -S: no installed package is found, as ours must not lean on those of Lambda either.
    # -B: no compiled files are left, which the next deployment would upload.
    done = subprocess.run(
        [sys.executable, "-B", "-I", "-S", "-c", USE_EVERY_SERVICE, ARTIFACT],
        env={"SNAPSHOT_BUCKET": "b", "AWS_DEFAULT_REGION": "us-east-1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ready\n", done.stderr


def test_the_artifact_is_pure_python() -> None:
    assert list(ARTIFACT.rglob("*.so")) == []
