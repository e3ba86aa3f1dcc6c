"""The texts in a secret: what is wrong with one, as the end of a sentence that does not show it; and which are secret.

A text that was copied with more around it would be sent whole, as the key: with another server's key in it, perhaps.
"""

import re

_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›′″＂＇｀"
# A backslash comes before a quotation mark in JSON that was encoded twice; JSON that was cut off may end with one.
_QUOTED = re.compile(rf"\\*[{_QUOTES}]|[^{{].*[{_QUOTES}]\Z", re.DOTALL)
# As in a shell, a .env file or PowerShell. Only `=` after the `=` is the padding of a key in base64.
_ASSIGNMENT = re.compile(
    r"(?:(?:export|declare|set|setx|env|let|const|var)\s+)?\$?(?:env:)?[a-z_][a-z0-9_]*\s*=(?![=\s]*\Z)", re.IGNORECASE
)
_HEADER = re.compile(r"authorization\s*:|bearer\b[\s:]", re.IGNORECASE)
# NUL is every second character of UTF-16 read as UTF-8; the last three are the marks of UTF-8 and UTF-16 in Latin-1.
_ENCODING = re.compile("[\0\ufeff\ufffe\ufffd]|\\A(?:ï»¿|ÿþ|þÿ)")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_OWN_HEADERS = ("Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection")
# Azure's api-version is a date, which the names of models hold too: without it they would be unreadable.
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_SECRET_NAME = re.compile(r"key|token|secret|auth|sig|passw|credential|cookie|session", re.IGNORECASE)
_SECRET = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=]{16,}|[A-Za-z-]+ \S+")  # hexadecimal, base64, «Bearer …»
_SEPARATORS = re.compile(r"[\s;,=\"{}:]+")  # in «Bearer …», a cookie, or JSON
_MIN_PART = 8  # characters; shorter ones are words that may stand anywhere
_OWN_QUERY = ("after", "page")  # with one of these in every request, jobs would be missing


def key_problem(text: str) -> str | None:
    """What was copied along with a key; None if nothing was."""
    if _ENCODING.search(text):
        return "has an invisible byte order mark, or is not UTF-8: save it as UTF-8, without a byte order mark."
    if _QUOTED.match(text):
        return (
            "begins or ends with a quotation mark, as in a shell, or as JSON that was encoded twice: "
            "put in what is between the quotation marks."
        )
    if text.startswith("["):
        return "begins with a bracket: put in the key alone, or a JSON object."
    if _ASSIGNMENT.match(text):
        return "looks like NAME=value, as in a shell or a .env file: put in only what follows the =, without quotes."
    if _HEADER.match(text):
        return "begins like an Authorization header: leave out `Authorization:` and `Bearer`, and put in the key alone."
    return None


def header_problem(name: str, value: str) -> str | None:
    """What is wrong with one of the default_headers; None if nothing is."""
    if not _TOKEN.fullmatch(name):
        return "have a name that no header can have: it must be letters, digits and -, without white space or colon."
    if name.lower() in map(str.lower, _OWN_HEADERS):
        return f"must not hold {', '.join(_OWN_HEADERS)}: the key is in api_key, and the rest belongs to HTTP."
    if not value.isprintable() or any(character > "\xff" for character in value):
        return "have a value with invisible characters, a line break, or characters outside Latin-1: copy it again."
    return None


def query_problem(name: str, value: str) -> str | None:
    """What is wrong with one part of the default_query; None if nothing is."""
    if name in _OWN_QUERY:
        return f"must not hold {' or '.join(_OWN_QUERY)}: it says where a page begins, so jobs would be missing."
    if not name or not (name + value).isprintable():
        return "have an empty name, or invisible characters or a line break: copy it again."
    return None


def looks_secret(name: str, value: str) -> bool:
    """Whether a header, or a part of the query, is a secret by its name or form, and no word of the server's."""
    return bool(_SECRET_NAME.search(name) or _SECRET.fullmatch(value))


def with_parts(values: list[str]) -> list[str]:
    """Values that must not be shown, and the parts of which they consist."""
    secrets = [value for value in values if not _VERSION.fullmatch(value)]
    parts = [part for value in secrets for part in _SEPARATORS.split(value) if part != value]
    return secrets + [part for part in parts if len(part) >= _MIN_PART]
