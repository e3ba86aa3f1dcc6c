"""What MiniStack's CloudFormation leaves out of resources, for tests/sandbox/ministack/server.py."""

import json
from typing import Any

from ministack.services import athena, s3, sns
from ministack.services.cloudformation import provisioners


def close_gaps() -> None:
    """Buckets and topics are encrypted as their stack says, and it may have named queries."""
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
    )
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
