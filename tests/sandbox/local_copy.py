"""A copy of an account's newest table on this machine, with which the next `make run` compares."""

import json

from snapshot.credentials import parse
from snapshot.errors import SecretError

from tests.sandbox.aws import ROOT
from tests.sandbox.stack import Stack

_FOLDER = ROOT / "snapshots" / "latest"
_KEY = "latest/default.tsv"


def put_back(stack: Stack, secret: str) -> str:
    """Write the copy for this account to the bucket as `latest`; return its time, empty without a copy."""
    try:
        path = _FOLDER / f"{parse('default', secret, '').fingerprint}.json"
    except SecretError:  # the run reports it
        return ""
    if not path.exists():
        return ""
    kept = json.loads(path.read_text(encoding="utf-8"))
    stack.aws.client("s3").put_object(
        Bucket=stack.outputs["SnapshotBucket"], Key=_KEY, Body=kept["table"].encode(), Metadata=kept["metadata"]
    )
    return str(kept["metadata"]["snapshot-time"])


def keep(stack: Stack) -> None:
    """Copy the newest table to this machine, under the fingerprint of its account."""
    newest = stack.aws.client("s3").get_object(Bucket=stack.outputs["SnapshotBucket"], Key=_KEY)
    kept = {"metadata": newest["Metadata"], "table": newest["Body"].read().decode()}
    _FOLDER.mkdir(parents=True, exist_ok=True)
    written = _FOLDER / "unfinished"
    written.write_text(json.dumps(kept), encoding="utf-8")
    written.replace(_FOLDER / f"{newest['Metadata']['view']}.json")
