"""Adds to MiniStack what `make status` calls to examine a stack."""

from typing import Any

from ministack.services import cloudwatch, secretsmanager, sns


def close_gaps() -> None:
    """Find alarms by their action, keep unconfirmed addresses pending, and describe secrets without a value."""
    _find_alarms_by_action()
    _let_addresses_confirm()
    _describe_secrets_without_a_value()


def _find_alarms_by_action() -> None:
    """Implement ActionPrefix and StateTransitionedTimestamp of DescribeAlarms.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    describe = cloudwatch._describe_alarms

    def describe_by_action(params: Any, data: Any, *formats: Any) -> Any:
        prefix = (data or {}).get("ActionPrefix", "")
        every = cloudwatch._alarms
        for alarm in every.values():
            alarm["StateTransitionedTimestamp"] = alarm["StateUpdatedTimestamp"]
        names = [
            name
            for name, alarm in every.items()
            if any(action.startswith(prefix) for action in alarm["AlarmActions"] or ())
        ]
        return describe(params, data | {"AlarmNames": names or ["-"]} if prefix else data, *formats)

    cloudwatch._describe_alarms = describe_by_action


def _let_addresses_confirm() -> None:
    """Keep an e-mail address pending until it is confirmed, with the address itself as its token.

    https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
    """
    confirm, list_by_topic = sns._confirm_subscription, sns._list_subscriptions_by_topic
    confirmed: set[str] = set()

    def confirm_address(params: Any) -> Any:
        for subscription in sns._topics[sns._p(params, "TopicArn")]["subscriptions"]:
            if subscription["endpoint"] == sns._p(params, "Token"):
                confirmed.add(subscription["arn"])
                subscription["token"] = subscription["endpoint"]
        return confirm(params)

    def list_with_pending(params: Any) -> Any:
        status, headers, body = list_by_topic(params)
        for subscription in sns._topics[sns._p(params, "TopicArn")]["subscriptions"]:
            if subscription["protocol"] == "email" and subscription["arn"] not in confirmed:
                body = body.replace(f">{subscription['arn']}<".encode(), b">PendingConfirmation<")
        return status, headers, body

    sns._confirm_subscription, sns._list_subscriptions_by_topic = confirm_address, list_with_pending


def _describe_secrets_without_a_value() -> None:
    """List only those versions of a secret that have a value.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    """
    stages = secretsmanager._vid_to_stages

    def stages_of_values(secret: dict[str, Any]) -> Any:
        with_value = {
            name: version
            for name, version in secret["Versions"].items()
            if version["SecretString"] is not None or version["SecretBinary"] is not None
        }
        return stages(secret | {"Versions": with_value})

    secretsmanager._vid_to_stages = stages_of_values
