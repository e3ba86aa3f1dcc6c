"""The secret of a source. Every run reads it again, so a corrected or rotated secret takes effect at once."""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from snapshot import aws, credentials
from snapshot.credentials import MUST_HOLD, Credentials
from snapshot.errors import SecretError, SnapshotError
from snapshot.settings import Settings

# At DEBUG botocore logs every response in full, including the secret; at INFO, in each new process, where it found its
# credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)


@contextmanager
def reading(settings: Settings, source: str) -> Iterator[Callable[[], Credentials]]:
    """Read the secret of `source` while the block reads something else; yields a function that waits for it.

    Raises SecretError, even if the block raises an error of its own: the secret is what a user can correct.
    """
    aws.secrets_client(), aws.s3_client()  # created here because that is not thread-safe, and two threads need them
    pool = ThreadPoolExecutor(1)
    future: Future[Credentials] = pool.submit(read, settings, source)

    def secret() -> Credentials:  # a function of this module, so that the error of the time limit names it
        return future.result()

    try:
        yield secret
    except SnapshotError:
        secret()
        raise
    finally:
        pool.shutdown(wait=False)


def read(settings: Settings, source: str) -> Credentials:
    """Return the credentials in the secret of `source`; raises SecretError naming the secret, never its value."""
    name = settings.secret_prefix + source
    with aws.naming(f"The secret {name} cannot be read: GetSecretValue", SecretError):
        value: Mapping[str, Any]
        try:
            value = aws.secrets_client().get_secret_value(SecretId=name)
        except aws.secrets_client().exceptions.ResourceNotFoundException:  # also raised for a secret without a value
            value = {"ARN": ""}
        if "SecretBinary" in value:
            raise SecretError(f"The secret {name} is binary. {MUST_HOLD}")
        if "SecretString" not in value and "ARN" in value:  # a response without both is not from Secrets Manager
            raise SecretError(
                f"The secret {name} does not exist or has no value (GetSecretValue returned none). "
                f"Is the source's name right? {MUST_HOLD}"
            )
        text = value["SecretString"]
        if not isinstance(text, str):
            raise TypeError("SecretString is not a string")
    return credentials.parse(name, text, settings.base_url)
