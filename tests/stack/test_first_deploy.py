"""The first deployment fails where AWS refuses it, and the bucket outlives the stack."""

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.stack import BUILT_TEMPLATE, Stack

CONDITION = """SnapshotsExpire:
    Fn::Not:
    - Fn::Equals:
      - Ref: SnapshotRetentionDays
      - '0'"""


def test_a_number_compared_with_a_parameter_fails_the_first_deployment(aws: EmbeddedAws) -> None:
    """With 0 for «forever», the rule would expire objects after 0 days, which S3 refuses."""
    text = BUILT_TEMPLATE.read_text()
    assert CONDITION in text
    with pytest.raises(WaiterError):
        Stack(aws, "broken", {}, text.replace(CONDITION, CONDITION.replace("'0'", "0")))
    events = aws.client("cloudformation").describe_stack_events(StackName="broken")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("must be a positive integer" in reason for reason in reasons), reasons


@pytest.mark.parametrize("days", ["0", "30"])
def test_dated_snapshots_expire_only_with_a_retention(days: str, aws: EmbeddedAws) -> None:
    stack = Stack(aws, f"keeps{days}", {"ScheduleState": "DISABLED", "SnapshotRetentionDays": days})
    rules = stack.lifecycle()
    assert rules["old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert ("dated-snapshots" in rules) == (days != "0")
    if days != "0":
        rule = rules["dated-snapshots"]
        assert (rule["Expiration"], rule["Filter"]) == ({"Days": int(days)}, {"Prefix": "snapshots/"})
    aws.client("cloudformation").delete_stack(StackName=stack.name)
    with pytest.raises(ClientError, match="does not exist"):
        aws.client("cloudformation").describe_stacks(StackName=stack.name)
    assert stack.outputs["SnapshotBucket"] in aws.buckets()
