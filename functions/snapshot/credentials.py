"""The text of a secret, as credentials for the API."""

import hashlib
import json
import re
from dataclasses import dataclass, field

from snapshot.errors import SecretError
from snapshot.settings import base_url_problem

_FIELDS = ("api_key", "organization", "project", "base_url")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
MUST_HOLD = (
    "It must hold the bare API key, or JSON like "
    '{"api_key": "…", "organization": "…", "project": "…", "base_url": "https://…"} with only api_key required. '
    "Set it with `make secret SOURCE=…`."
)


@dataclass(frozen=True)
class Credentials:
    """A key and what it is for; the key is kept out of the representation."""

    api_key: str = field(repr=False)
    base_url: str
    organization: str = ""
    project: str = ""
    paging: str = "after"

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        return headers

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change with the key, the account and the server that are looked at."""
        parts = (self.base_url, self.organization, self.project, self.api_key)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def parse(name: str, value: str, default_base_url: str) -> Credentials:
    """Read the value of the secret `name`; raises SecretError naming the secret, never its value."""
    value = value.strip()
    if not value:
        raise SecretError(f"The secret {name} is empty. {MUST_HOLD}")
    fields = _json_fields(name, value) if value.startswith("{") else {"api_key": value}
    if "api_key" not in fields:
        raise SecretError(f"The secret {name} is JSON without api_key. {MUST_HOLD}")
    for header in ("api_key", "organization", "project"):
        if header in fields and not _PRINTABLE.fullmatch(fields[header]):
            raise SecretError(
                f"The {header} in the secret {name} is empty, or has white space, invisible or non-ASCII characters "
                f"inside: copy it again. {MUST_HOLD}"
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
        raise SecretError(f"The secret {name} begins like JSON but is none. {MUST_HOLD}") from None
    # The names are not shown: in the console's key/value form a key is easily pasted into the wrong box.
    if not fields.keys() <= set(_FIELDS):
        raise SecretError(f"The secret {name} has a field other than {', '.join(_FIELDS)}. {MUST_HOLD}")
    stripped = {}
    for field_name, content in fields.items():
        if content is not None and not isinstance(content, str):
            raise SecretError(f"The {field_name} in the secret {name} is not a string. {MUST_HOLD}")
        if content is not None:
            stripped[field_name] = content.strip()
    return stripped
