"""Which modules may import which: `api` and `aws` are independent, and the pure modules import neither."""

import subprocess
import sys

import pytest

from tests.sandbox.aws import ROOT

HTTP, AWS = {"requests"}, {"boto3", "botocore"}
PURE = "job fields statuses table models previous changes counts credentials secret_text settings deadline errors"


@pytest.mark.parametrize(
    ("modules", "unknown"),
    [
        (PURE, HTTP | AWS),
        ("api.fine_tuning", AWS | {"snapshot.aws"}),
        ("aws.snapshots aws.events aws.secrets", HTTP | {"snapshot.api"}),
    ],
)
def test_imports_stay_in_their_layer(modules: str, unknown: set[str]) -> None:
    code = "; ".join(f"import snapshot.{name}" for name in modules.split()) + "; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "functions", capture_output=True, text=True, check=True
    )
    assert unknown & {*done.stdout.split()} == set()
