"""Checks of the texts in a secret. Each problem is the end of a sentence, and does not show the text.

Without them, a key that was copied with other text around it would be sent as a whole, perhaps with another key in it.
"""

import re

_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›′″＂＇｀"
# JSON that was encoded twice has a backslash before a quotation mark. Truncated JSON may end with a quotation mark.
_QUOTED = re.compile(rf"\\*[{_QUOTES}]|[^{{].*[{_QUOTES}]\Z", re.DOTALL)
# NAME=value as in a shell, a .env file or PowerShell. If only `=` follows the `=`, it is the padding of a base64 key.
_ASSIGNMENT = re.compile(
    r"(?:(?:export|declare|set|setx|env|let|const|var)\s+)?\$?(?:env:)?[a-z_][a-z0-9_]*\s*=(?![=\s]*\Z)", re.IGNORECASE
)
_HEADER = re.compile(r"authorization\s*:|bearer\b[\s:]", re.IGNORECASE)
# NUL is every second character of UTF-16 read as UTF-8; the last three are byte order marks read as Latin-1.
_ENCODING = re.compile("[\0\ufeff\ufffe\ufffd]|\\A(?:ï»¿|ÿþ|þÿ)")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_OWN_HEADERS = ("Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection")
# Azure's api-version is a date, as in the names of models: redacting it would make those unreadable.
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_SECRET_NAME = re.compile(r"key|token|secret|auth|sig|passw|credential|cookie|session", re.IGNORECASE)
_SECRET = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=]{16,}|[A-Za-z-]+ \S+")  # hexadecimal, base64, «Bearer …»
_SEPARATORS = re.compile(r"[\s;,=\"{}:]+")  # in «Bearer …», a cookie, or JSON
# Shorter keys, as for servers without authentication, and shorter parts of values may be ordinary words.
MIN_LENGTH = 8
_OWN_QUERY = ("after", "page")  # with a fixed value of these, jobs would be missing


def key_problem(text: str) -> str | None:
    """Return what is wrong with the text of a key; None if nothing is."""
    if _ENCODING.search(text):
        return "has an invisible byte order mark, or is not UTF-8: save it as UTF-8 without a byte order mark."
    if _QUOTED.match(text):
        return (
            "begins or ends with a quotation mark, as in a shell or in JSON that was encoded twice: "
            "enter only the text between the quotation marks."
        )
    if text.startswith("["):
        return "begins with a bracket: enter only the key, or a JSON object."
    if _ASSIGNMENT.match(text):
        return "looks like NAME=value, as in a shell or a .env file: enter only the value after the =, without quotes."
    if _HEADER.match(text):
        return "begins like an Authorization header: enter only the key, without `Authorization:` and `Bearer`."
    return None


def header_problem(name: str, value: str) -> str | None:
    """Return what is wrong with one of the default_headers; None if nothing is."""
    if not _TOKEN.fullmatch(name):
        return "have a name that is not valid in HTTP: use letters, digits and -, without white space or colon."
    if name.lower() in map(str.lower, _OWN_HEADERS):
        return f"must not hold {', '.join(_OWN_HEADERS)}: api_key sets the first, and HTTP sets the others."
    if not value.isprintable() or any(character > "\xff" for character in value):
        return "have a value with invisible characters, a line break, or characters outside Latin-1: copy it again."
    return None


def query_problem(name: str, value: str) -> str | None:
    """Return what is wrong with one parameter of the default_query; None if nothing is."""
    if name in _OWN_QUERY:
        return f"must not hold {' or '.join(_OWN_QUERY)}: they select a page, so jobs would be missing."
    if not name or not (name + value).isprintable():
        return "have an empty name, or invisible characters or a line break: copy it again."
    return None


def looks_secret(name: str, value: str) -> bool:
    """Return whether the name or the form of a header or query parameter shows that its value is secret."""
    return bool(_SECRET_NAME.search(name) or _SECRET.fullmatch(value))


def with_parts(values: list[str]) -> list[str]:
    """Return the values that must not be shown, and their parts."""
    secrets = [value for value in values if not _VERSION.fullmatch(value)]
    parts = [part for value in secrets for part in _SEPARATORS.split(value) if part != value]
    return secrets + [part for part in parts if len(part) >= MIN_LENGTH]
