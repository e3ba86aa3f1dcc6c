"""The credentials for the API, parsed from the text of a secret."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snapshot import secret_text
from snapshot.errors import SecretError
from snapshot.secret_text import looks_secret
from snapshot.settings import base_url_problem

PAGING = ("after", "page", "none")
_OBJECTS = ("default_headers", "default_query")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
MUST_HOLD = (
    "It must hold the bare API key, or JSON like "
    '{"api_key": "…", "organization": "…", "project": "…", "base_url": "https://…"} with only api_key required, '
    'and for gateways also "default_headers": {"…": "…"}, "default_query": {"…": "…"} and "paging". '
    "Set it with `make secret SOURCE=…`."
)


@dataclass(frozen=True)
class Credentials:
    """A key and where to use it; `repr` shows nothing that may be secret."""

    api_key: str = field(repr=False)
    base_url: str
    organization: str = ""
    project: str = ""
    default_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_query: Mapping[str, str] = field(default_factory=dict, repr=False)
    paging: str = PAGING[0]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request; as in the official SDK, default_headers override the others."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        return headers | {**self.default_headers}

    @property
    def secrets(self) -> list[str]:
        """The texts that no error may show: the key and all values of headers and query, whole and in parts."""
        return secret_text.with_parts([self.api_key, *self.default_headers.values(), *self.default_query.values()])

    @property
    def data_secrets(self) -> list[str]:
        """The texts that no job's field may show: the key, and header and query values that look secret.

        Other values may be ordinary words, such as a region: to remove them would make the table wrong.
        """
        given = [*self.default_headers.items(), *self.default_query.items()]
        return secret_text.with_parts([self.api_key, *(value for name, value in given if looks_secret(name, value))])

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change with the key, the account and the server."""
        parts = [self.base_url, self.organization, self.project, self.api_key]
        own = {"default_headers": self.default_headers, "default_query": self.default_query}
        parts += [f"{name} {json.dumps({**given}, sort_keys=True)}" for name, given in own.items() if given]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


_FIELDS = tuple(each.name for each in dataclasses.fields(Credentials))


def parse(name: str, value: str, default_base_url: str) -> Credentials:
    """Return the credentials in the value of the secret `name`; raises SecretError naming it, never the value."""
    value = value.strip()
    if not value:
        raise SecretError(f"The secret {name} is empty. {MUST_HOLD}")
    if (problem := secret_text.key_problem(value)) is not None:
        raise SecretError(f"The secret {name} {problem} {MUST_HOLD}")
    fields = _json_fields(name, value) if value.startswith("{") else {"api_key": value}
    if "api_key" not in fields:
        raise SecretError(f"The secret {name} is JSON without api_key. {MUST_HOLD}")
    for header in ("api_key", "organization", "project"):
        if header in fields and (problem := _key_problem(fields[header])) is not None:
            raise SecretError(f"The {header} in the secret {name} {problem} {MUST_HOLD}")
    base_url = fields.pop("base_url", default_base_url)
    if (problem := base_url_problem(base_url)) is not None:
        raise SecretError(f"The base_url in the secret {name} {problem}")
    if fields.get("paging", PAGING[0]) not in PAGING:
        raise SecretError(
            f'The paging in the secret {name} must be "after" (the default), "page" for a server that numbers its '
            'pages, or "none" for one that gives all jobs in one response.'
        )
    return Credentials(base_url=base_url.rstrip("/"), **fields)


def _json_fields(name: str, value: str) -> dict[str, Any]:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        # `from None`: a JSON error contains the whole document.
        raise SecretError(
            f"The secret {name} looks like JSON but cannot be parsed: check commas, braces and quotation marks. "
            f"{MUST_HOLD}"
        ) from None
    # Do not show the names: in the console's key/value form a user can paste a key into the wrong box.
    if not fields.keys() <= set(_FIELDS):
        raise SecretError(f"The secret {name} has a field other than {', '.join(_FIELDS)}. {MUST_HOLD}")
    stripped: dict[str, Any] = {}
    for field_name, given in fields.items():
        if given is None:
            continue
        content = given.strip() if isinstance(given, str) else given
        if field_name in _OBJECTS:
            stripped[field_name] = _strings(field_name, name, content)
        elif isinstance(content, str) or field_name == "paging":
            stripped[field_name] = content
        else:
            raise SecretError(f"The {field_name} in the secret {name} is not a string. {MUST_HOLD}")
    return stripped


def _strings(field_name: str, name: str, content: object) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise SecretError(f"The {field_name} in the secret {name} is not an object of strings. {MUST_HOLD}")
    strings = {key: text.strip() for key, text in content.items()}
    check = secret_text.header_problem if field_name == "default_headers" else secret_text.query_problem
    for key, text in strings.items():
        if (problem := check(key, text)) is not None:
            raise SecretError(f"The {field_name} in the secret {name} {problem}")
    return strings


def _key_problem(text: str) -> str | None:
    if not _PRINTABLE.fullmatch(text):
        return (
            secret_text.key_problem(text)
            or "is empty, or has white space, invisible or non-ASCII characters inside: copy it again."
        )
    if text.startswith("{"):
        return "begins like JSON: enter only the key."
    return secret_text.key_problem(text)
