"""The secret of a source, as credentials for the API."""

import hashlib
import json
import logging
import re
from dataclasses import dataclass, field
from functools import cache

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from snapshot.aws import CONFIG
from snapshot.errors import SecretError
from snapshot.settings import Settings, base_url_problem

_FIELDS = ("api_key", "organization", "project", "base_url")
_CACHE_SECONDS = 300
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_MUST_HOLD = (
    "It must hold the bare API key, or JSON like "
    '{"api_key": "…", "organization": "…", "project": "…", "base_url": "https://…"} with only api_key required. '
    "Set it with `make secret SOURCE=…`."
)

# At DEBUG botocore logs every answer whole, the secret's among them.
logging.getLogger("botocore").setLevel(logging.INFO)


@dataclass(frozen=True)
class Credentials:
    """A key and what it is for; the key is kept out of the representation."""

    api_key: str = field(repr=False)
    base_url: str
    organization: str = ""
    project: str = ""

    @property
    def view(self) -> str:
        """12 hex digits that change when another key, account or server is looked at."""
        parts = (self.base_url, self.organization, self.project, self.api_key)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def fetch(settings: Settings, source: str, *, past_cache: bool = False) -> Credentials:
    """The credentials in the secret of `source`; raises SecretError naming the secret, never its value."""
    name = settings.secret_prefix + source
    try:
        value = _secrets().get(name, max_age=_CACHE_SECONDS, force_fetch=past_cache)
    except GetParameterError as error:
        cause = error.__context__
        missing = isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ResourceNotFoundException"
        # AWS gives the same answer for a secret that was made without a value; Powertools' KeyError is other servers'.
        if missing or isinstance(cause, KeyError):
            reason = f"The secret {name} does not exist or has no value. Is the source's name right?"
            raise SecretError(f"{reason} {_MUST_HOLD}") from None
        raise SecretError(f"The secret {name} cannot be read: {error}") from None
    if not isinstance(value, str):
        raise SecretError(f"The secret {name} is binary. {_MUST_HOLD}")
    return parse(name, value, settings.base_url)


def parse(name: str, value: str, default_base_url: str) -> Credentials:
    """Read the value of the secret `name`; raises SecretError as `fetch` does."""
    value = value.strip()
    if not value:
        raise SecretError(f"The secret {name} is empty. {_MUST_HOLD}")
    fields = _json_fields(name, value) if value.startswith("{") else {"api_key": value}
    if "api_key" not in fields:
        raise SecretError(f"The secret {name} is JSON without api_key. {_MUST_HOLD}")
    for header in ("api_key", "organization", "project"):
        if header in fields and not _PRINTABLE.fullmatch(fields[header]):
            raise SecretError(
                f"The {header} in the secret {name} is empty, or has white space, invisible or non-ASCII characters "
                f"inside: copy it again. {_MUST_HOLD}"
            )
    base_url = fields.pop("base_url", default_base_url)
    if (problem := base_url_problem(base_url)) is not None:
        raise SecretError(f"The base_url in the secret {name} {problem}")
    return Credentials(base_url=base_url.rstrip("/"), **fields)


def _json_fields(name: str, value: str) -> dict[str, str]:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        # `from None`: a JSON error holds the whole document.
        raise SecretError(f"The secret {name} begins like JSON but is none. {_MUST_HOLD}") from None
    # The names are not shown: in the console's key/value form a key is easily pasted into the wrong box.
    if not fields.keys() <= set(_FIELDS):
        raise SecretError(f"The secret {name} has a field other than {', '.join(_FIELDS)}. {_MUST_HOLD}")
    stripped = {}
    for field_name, content in fields.items():
        if content is not None and not isinstance(content, str):
            raise SecretError(f"The {field_name} in the secret {name} is not a string. {_MUST_HOLD}")
        if content is not None:
            stripped[field_name] = content.strip()
    return stripped


@cache
def _secrets() -> SecretsProvider:
    # The session of the other clients: with one of its own the provider would load botocore's data again.
    return SecretsProvider(boto3_client=boto3.client("secretsmanager", config=CONFIG))
