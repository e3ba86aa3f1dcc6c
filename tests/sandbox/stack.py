"""The project's stack in the embedded AWS."""

import json
import os
import re
import sys
import uuid
from collections.abc import Mapping
from typing import Any
from zipfile import ZipFile

from tests.artifact import ARTIFACT
from tests.environment import without_settings
from tests.sandbox.aws import EmbeddedAws

BUILT_TEMPLATE = ARTIFACT.with_name("template.yaml")
_PACKAGES = "packages"
_WAITING = {"Delay": 0.1, "MaxAttempts": 600}


class InvocationError(Exception):
    """The function failed; the message is the one that Lambda reports."""


class Stack:
    """A stack deployed from `.aws-sam/build` (see `make build`), or with another template for the same function."""

    def __init__(self, aws: EmbeddedAws, name: str, parameters: Mapping[str, str], template: str = "") -> None:
        self.aws = aws
        self.name = name
        # Secrets belong to the account: with its own prefix, a stack does not use those of another one.
        self.parameters = {"SecretPrefix": f"{name}/"} | dict(parameters)
        self.outputs: dict[str, str] = {}
        if not BUILT_TEMPLATE.exists():
            raise RuntimeError("Nothing is built: run `make build` first.")
        self._template = template or BUILT_TEMPLATE.read_text()
        self._deploy()

    def update(self, **parameters: str) -> None:
        """Deploy again with these parameters changed."""
        self.parameters |= parameters
        self._deploy()

    def put_secret(self, source: str, value: str) -> None:
        """Create or replace the secret of a source."""
        self.aws.put_secret(self.parameters["SecretPrefix"] + source, value)

    def invoke(self, **event: Any) -> dict[str, Any]:
        """Invoke the function and return its summary; raises InvocationError with its error."""
        response = self.aws.client("lambda").invoke(
            FunctionName=self.outputs["SnapshotFunction"], Payload=json.dumps(event).encode()
        )
        result = json.load(response["Payload"])
        if "FunctionError" in response:
            raise InvocationError(result["errorMessage"])
        assert isinstance(result, dict)
        return result

    def objects(self) -> dict[str, bytes]:
        """Return every object in the bucket: key to content."""
        return self.aws.objects(self.outputs["SnapshotBucket"])

    def logs(self) -> list[str]:
        """Return every line that the function has logged, including metrics."""
        logs = self.aws.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroup"])
        return [event["message"] for page in pages for event in page["events"]]

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], list[float]]:
        """Return all values of the function's metrics: (name, dimensions) to values, oldest first."""
        values: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = {}
        for line in map(_json_or_none, self.logs()):
            for directive in line["_aws"]["CloudWatchMetrics"] if line and "_aws" in line else ():
                for names in directive["Dimensions"]:
                    dimensions = frozenset((name, line[name]) for name in names)
                    for metric in directive["Metrics"]:
                        values.setdefault((metric["Name"], dimensions), []).extend(line[metric["Name"]])
        return values

    def physical_ids(self, resource_type: str) -> dict[str, str]:
        """Return the stack's resources of a type: logical id to physical id."""
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == resource_type
        }

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Return the stack's alarms as DescribeAlarms returns them, by logical id."""
        names = self.physical_ids("AWS::CloudWatch::Alarm")
        described = self.aws.client("cloudwatch").describe_alarms(AlarmNames=list(names.values()))["MetricAlarms"]
        by_name = {alarm["AlarmName"]: alarm for alarm in described}
        return {logical_id: by_name[name] for logical_id, name in names.items()}

    def schedules(self) -> list[dict[str, Any]]:
        """Return the stack's schedules as GetSchedule returns them."""
        scheduler, group = self.aws.client("scheduler"), self.outputs["ScheduleGroup"]
        names = [schedule["Name"] for schedule in scheduler.list_schedules(GroupName=group)["Schedules"]]
        return [{**scheduler.get_schedule(GroupName=group, Name=name)} for name in names]

    def lifecycle(self) -> dict[str, dict[str, Any]]:
        """Return the lifecycle rules of the stack's bucket, by id, in their order."""
        s3 = self.aws.client("s3")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=self.outputs["SnapshotBucket"])["Rules"]
        return {rule["ID"]: {**rule} for rule in rules}

    def _deploy(self) -> None:
        cloudformation = self.aws.client("cloudformation")
        stack, change_set = (
            {"StackName": self.name},
            {"StackName": self.name, "ChangeSetName": f"deploy-{uuid.uuid4()}"},
        )
        # With a change set, as the SAM CLI deploys.
        cloudformation.create_change_set(
            **change_set,
            ChangeSetType="UPDATE" if self.outputs else "CREATE",
            TemplateBody=_packaged(self._template, self.aws),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cloudformation.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig=_WAITING)
        cloudformation.execute_change_set(**change_set)
        ended = cloudformation.get_waiter("stack_update_complete" if self.outputs else "stack_create_complete")
        ended.wait(**stack, WaiterConfig=_WAITING)
        described = cloudformation.describe_stacks(**stack)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _packaged(template: str, aws: EmbeddedAws) -> str:
    """Upload the function once and return the template with its place, as `sam package`, which takes seconds, does."""
    package = aws.folder / "package.zip"
    if not package.exists():
        with ZipFile(package, "w") as archive:
            for file in ARTIFACT.rglob("*"):
                if file.suffix != ".pyc" or sys.implementation.cache_tag in file.name:  # others are for Lambda's Python
                    archive.write(file, file.relative_to(ARTIFACT))
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=_PACKAGES)
        s3.upload_file(package, _PACKAGES, package.name)
    uploaded = f"CodeUri: s3://{_PACKAGES}/{package.name}\n"
    packaged, places = re.subn(rf"CodeUri: {ARTIFACT.name}\n", uploaded, template)
    assert places == 1
    return packaged


def sam_environment(aws: EmbeddedAws) -> dict[str, str]:
    """Return the environment of a user whose only AWS account is the embedded one."""
    # An own home, because SAM and AWS's tools read and write there, and an own folder for SAM's temporary files.
    own = dict.fromkeys(("HOME", "TMPDIR"), str(aws.folder))
    return without_settings(os.environ) | aws.environment | own | {"SAM_CLI_POLL_DELAY": "0.2"}


def _json_or_none(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
