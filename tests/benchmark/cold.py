"""A cold run, from the start of the process to the result: `python cold.py compiled|plain|sdk|floor BASE_URL KEY`.

`compiled` and `plain` are this function, from PYTHONPATH; `sdk` does the same with the official SDK and boto3; `floor`
only imports boto3 and creates clients.
"""

import os
import sys


def ours() -> None:
    """Run the handler."""
    from snapshot.app import lambda_handler  # noqa: PLC0415

    from tests.context import Context  # noqa: PLC0415

    lambda_handler({}, Context(900))


def sdk(base_url: str, key: str) -> None:
    """List the jobs, write a TSV twice, and print a metric line."""
    import boto3  # noqa: PLC0415
    from openai import OpenAI  # noqa: PLC0415

    boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_PREFIX"] + "default")
    jobs = list(OpenAI(api_key=key, base_url=base_url).fine_tuning.jobs.list(limit=100))
    lines = [f"{job.created_at}\t{job.finished_at}\t{job.status}\t{job.model}\t{job.id}\n" for job in jobs]
    body = "".join(lines).encode()
    s3, bucket = boto3.client("s3"), os.environ["SNAPSHOT_BUCKET"]
    s3.put_object(Bucket=bucket, Key="sdk/dated.tsv", Body=body)
    s3.put_object(Bucket=bucket, Key="sdk/latest.tsv", Body=body)
    print('{"_aws":{}}')


def floor() -> None:
    """Load what every function with boto3 must load."""
    import boto3  # noqa: PLC0415

    boto3.client("secretsmanager")
    boto3.client("s3")


if __name__ == "__main__":
    match sys.argv[1]:
        case "compiled" | "plain":
            ours()
        case "sdk":
            sdk(*sys.argv[2:])
        case "floor":
            floor()
