"""The newest table of an account, kept on this machine, so that the next `make run` can say what has changed since."""

import json

from snapshot.credentials import parse
from snapshot.errors import SecretError

from tests.sandbox.aws import ROOT
from tests.sandbox.stack import Stack

_FOLDER = ROOT / "snapshots" / "latest"
_KEY = "latest/default.tsv"


def put_back(stack: Stack, secret: str) -> str:
    """Make the kept table of the account behind a secret the source's newest; its time, empty if there is none."""
    try:
        path = _FOLDER / f"{parse('default', secret, '').fingerprint}.json"
    except SecretError:  # which the run reports
        return ""
    if not path.exists():
        return ""
    kept = json.loads(path.read_text(encoding="utf-8"))
    stack.aws.client("s3").put_object(
        Bucket=stack.outputs["SnapshotBucket"], Key=_KEY, Body=kept["table"].encode(), Metadata=kept["metadata"]
    )
    return str(kept["metadata"]["snapshot-time"])


def keep(stack: Stack) -> None:
    """Keep the source's newest table, under the fingerprint of its account."""
    newest = stack.aws.client("s3").get_object(Bucket=stack.outputs["SnapshotBucket"], Key=_KEY)
    kept = {"metadata": newest["Metadata"], "table": newest["Body"].read().decode()}
    _FOLDER.mkdir(parents=True, exist_ok=True)
    written = _FOLDER / "unfinished"
    written.write_text(json.dumps(kept), encoding="utf-8")
    written.replace(_FOLDER / f"{newest['Metadata']['view']}.json")
