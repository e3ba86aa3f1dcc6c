"""Adds to the deployments of MiniStack: replacements in change sets, and refused schedules."""

import json
from functools import cache
from importlib import resources
from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners, stacks


def close_gaps() -> None:
    """Make change sets say which resources are replaced, and refuse a schedule that would never start anything."""
    stacks._property_recreation = _recreation
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]
    create = handlers["create"]

    def create_valid(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        expression = properties["ScheduleExpression"]
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        # It does not have the rule of EventBridge's rules that only 1 has a singular unit: `rate(1 hours)` is in use.
        if not (eventbridge._parse_rate_seconds(expression) or eventbridge._parse_cron_fields(expression)):
            raise ValueError(f"Invalid Schedule Expression {expression}.")
        return create(logical_id, properties, stack)

    handlers["create"] = create_valid


def _recreation(resource_type: str, name: str) -> str:
    """Return RequiresRecreation for a change of a property, from AWS's own schema of the resource type.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """
    schema = _schema(resource_type)
    if f"/properties/{name}" in schema.get("createOnlyProperties", ()):
        return "Always"
    conditional = (*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ()))
    return "Conditionally" if any(f"{path}/".startswith(f"/properties/{name}/") for path in conditional) else "Never"


@cache
def _schema(resource_type: str) -> dict[str, Any]:
    """Return the schema of a resource type, from cfn-lint's package."""
    schemas = resources.files("cfnlint.data.schemas")
    names = json.loads((schemas / "providers" / "us-east-1.json").read_text())
    schema: dict[str, Any] = json.loads((schemas / "resources" / f"{names[resource_type]}.json").read_text())
    return schema
