"""What MiniStack's CloudFormation leaves out of resources, for tests/sandbox/server.py."""

from typing import Any

from ministack.services import s3, sns
from ministack.services.cloudformation import provisioners


def close_gaps() -> None:
    """Buckets and topics are encrypted as their stack says."""
    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("BucketEncryption", _encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
    )
    provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]["create"] = _create_topic


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
