"""What MiniStack's CloudFormation lacks of resources and conditions."""

import json
from typing import Any

from ministack.services import athena, s3, sns
from ministack.services.cloudformation import language_extensions, provisioners


def close_gaps() -> None:
    """Implement encryption and lifecycle of buckets, keys of topics, named queries, and types in conditions."""
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", _lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
    )
    apply = language_extensions.apply
    language_extensions.apply = lambda template, parameters: apply(_with_typed_equals(template), parameters)
    provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]["create"] = _create_topic
    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {
        "create": _create_named_query,
        "delete": _delete_named_query,
    }


def _encryption_xml(encryption: dict[str, Any]) -> bytes:
    (rule,) = encryption["ServerSideEncryptionConfiguration"]
    default = "".join(f"<{name}>{value}</{name}>" for name, value in rule["ServerSideEncryptionByDefault"].items())
    return (
        "<ServerSideEncryptionConfiguration><Rule>"
        f"<ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>"
        f"<BucketKeyEnabled>{str(rule.get('BucketKeyEnabled', False)).lower()}</BucketKeyEnabled>"
        "</Rule></ServerSideEncryptionConfiguration>"
    ).encode()


def _lifecycle_xml(lifecycle: dict[str, Any]) -> bytes:
    return f"<LifecycleConfiguration>{''.join(map(_rule_xml, lifecycle['Rules']))}</LifecycleConfiguration>".encode()


def _rule_xml(rule: dict[str, Any]) -> str:
    xml = f"<ID>{rule['Id']}</ID><Status>{rule['Status']}</Status>"
    xml += f"<Filter><Prefix>{rule.get('Prefix', '')}</Prefix></Filter>"
    if "ExpirationInDays" in rule:
        if int(rule["ExpirationInDays"]) < 1:  # S3's own message
            raise ValueError("InvalidArgument: 'Days' for Expiration action must be a positive integer")
        xml += f"<Expiration><Days>{rule['ExpirationInDays']}</Days></Expiration>"
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        parts = "".join(f"<{key}>{value}</{key}>" for key, value in rule.get(name, {}).items())
        xml += f"<{name}>{parts}</{name}>" if parts else ""
    return f"<Rule>{xml}</Rule>"


def _with_typed_equals(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template in which a number never equals a string, as in AWS's language extensions.

    MiniStack compares strings. A parameter is a string, even of the type Number:
    https://github.com/aws-cloudformation/cfn-language-discussion/issues/153
    """

    def typed(value: Any) -> Any:
        if isinstance(value, list):
            return [typed(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: [f"the number {arg}" if isinstance(arg, int | float) else typed(arg) for arg in inner]
            if name == "Fn::Equals"
            else typed(inner)
            for name, inner in value.items()
        }

    return template | {"Conditions": typed(template.get("Conditions", {}))}


def _create_topic(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    arn, attributes = provisioners._sns_create(logical_id, properties, stack)
    if key := properties.get("KmsMasterKeyId"):
        sns._topics[arn]["attributes"]["KmsMasterKeyId"] = key
    return arn, attributes


def _create_named_query(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
    _, _, body = athena._create_named_query(properties)
    query_id = json.loads(body)["NamedQueryId"]
    return query_id, {"NamedQueryId": query_id}


def _delete_named_query(query_id: str, _properties: dict[str, Any]) -> None:
    athena._delete_named_query({"NamedQueryId": query_id})
