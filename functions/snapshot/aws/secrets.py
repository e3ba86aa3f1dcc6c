"""The secret of a source, read anew in every run: so a mended or rotated one counts at once."""

import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from snapshot import aws, credentials
from snapshot.credentials import MUST_HOLD, Credentials
from snapshot.errors import SecretError
from snapshot.settings import Settings

# At DEBUG botocore logs every response whole, the secret's among them.
logging.getLogger("botocore").setLevel(logging.INFO)


def read(settings: Settings, source: str) -> Credentials:
    """The credentials in the secret of `source`; raises SecretError naming the secret, never its value."""
    name = settings.secret_prefix + source
    try:
        value: Mapping[str, Any] = aws.secrets_client().get_secret_value(SecretId=name)
    except aws.secrets_client().exceptions.ResourceNotFoundException:
        value = {}  # AWS's response for a secret without a value, too
    except (BotoCoreError, ClientError) as error:
        raise SecretError(f"The secret {name} cannot be read: {error}") from None
    if "SecretBinary" in value:
        raise SecretError(f"The secret {name} is binary. {MUST_HOLD}")
    if "SecretString" not in value:
        raise SecretError(f"The secret {name} does not exist or has no value. Is the source's name right? {MUST_HOLD}")
    return credentials.parse(name, value["SecretString"], settings.base_url)
