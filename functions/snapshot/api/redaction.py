"""Removal of secrets from texts of the API, which may echo the key or a gateway's headers and query."""

import base64
import html
import json
import re
from collections.abc import Sequence
from urllib.parse import quote, quote_plus

from snapshot.fields import clean
from snapshot.secret_text import MIN_LENGTH

_MAX_CHARACTERS = 400  # of the API's text in one of our messages
_MAX_SEARCHED = 1 << 16  # of a text; searching needs a multiple of its size in memory
# Printable ASCII written as \u00XX in JSON, except the quotation mark and the backslash.
_ESCAPED = re.compile(rb"(?<!\\)\\u00(2[0134-9A-Fa-f]|[34][0-9A-Fa-f]|5[0-9ABD-Fabd-f]|6[0-9A-Fa-f]|7[0-9A-Ea-e])")
# A masked key as APIs echo it (its beginning, stars, its end), or anything that begins like a key.
_MASKED = re.compile(r"(?<!\S)\S*?\*\*\S*|\bsk-\S+")


def without_secrets(content: bytearray, secrets: Sequence[str]) -> bytearray:
    """Return a response body without the secrets, so that no field brings one into a table or an event."""
    if (encoding := json.detect_encoding(content)) != "utf-8":
        content = bytearray(content.decode(encoding, "replace").encode())
    # Some servers escape more than they must. (The plain search is ten times as fast, and usually finds nothing.)
    if b"\\u00" in content and _ESCAPED.search(content):
        content = bytearray(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), content))
    for secret in _longest_first(secrets):
        in_json = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], *_written(secret)]
        for form in dict.fromkeys((*in_json, *(text.replace("/", "\\/") for text in in_json))):
            if form.encode() in content:
                content = content.replace(form.encode(), b"[redacted]")
    return content


def redacted(text: str | bytearray, secrets: Sequence[str], most: int = _MAX_CHARACTERS) -> str:
    """Return a text as one short line, without the secrets in any encoding and without anything that looks like a key.

    The text is shortened last: a secret that was cut before would not be found.
    """
    start = text[:_MAX_SEARCHED]
    # A lone surrogate in a string could not be logged.
    text = (start.encode("utf-8", "replace") if isinstance(start, str) else start).decode("utf-8", "replace")
    if forms := [form for secret in _longest_first(secrets) for form in _forms(secret)]:
        text = re.sub("|".join(forms), "[redacted]", text, flags=re.IGNORECASE)
    text = _MASKED.sub("[redacted]", clean(text))
    return text if len(text) <= most else text[:most] + "…"


def _longest_first(secrets: Sequence[str]) -> list[str]:
    """Return the secrets to search for, the longest first, because one may be a part of another."""
    return sorted((secret for secret in secrets if len(secret) >= MIN_LENGTH), key=len, reverse=True)


def _written(secret: str) -> list[str]:
    """Return a secret as it is, and as written in a URL, HTML and base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    return [secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), encoded]


def _forms(secret: str) -> list[str]:
    """Return patterns of a secret as it is, in JSON, Python, a URL, HTML, base64, and of what begins like it."""
    written = {
        *_written(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        secret.encode("latin-1", "replace").decode("utf-8", "replace"),
    }
    forms = sorted(written, key=len, reverse=True)
    return [re.escape(form) for form in forms] + [re.escape(secret[:MIN_LENGTH]) + r"\S*"]
