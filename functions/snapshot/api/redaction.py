"""Secrets kept out of somebody else's words, whatever they echo: the key, and a gateway's headers and query."""

import base64
import html
import json
import re
from collections.abc import Sequence
from urllib.parse import quote, quote_plus

from snapshot.fields import clean

_MAX_CHARACTERS = 400  # of somebody else's text in a message of ours
_LOOKED_AT = 1 << 16  # of it; more would cost a multiple of its size in memory
# Shorter ones, as servers without authentication take them, are words that may stand anywhere.
_MIN_LENGTH = 8
# Printable ASCII written as \u00XX in JSON, but for the quotation mark and the backslash.
_ESCAPED = re.compile(rb"(?<!\\)\\u00(2[0134-9A-Fa-f]|[34][0-9A-Fa-f]|5[0-9ABD-Fabd-f]|6[0-9A-Fa-f]|7[0-9A-Ea-e])")
# What an API echoes of a key: its beginning, stars, its end.
_MASKED = re.compile(r"(?<!\S)\S*?\*\*\S*|\bsk-\S+")


def without_secrets(content: bytearray, secrets: Sequence[str]) -> bytearray:
    """A response without the secrets, so that no field brings one into a table or an event."""
    if (encoding := json.detect_encoding(content)) != "utf-8":
        content = bytearray(content.decode(encoding, "replace").encode())
    # Some servers escape more than they must. (Where none does, the plain search tells it ten times as fast.)
    if b"\\u00" in content and _ESCAPED.search(content):
        content = bytearray(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), content))
    for secret in _longest_first(secrets):
        in_json = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], *_written(secret)]
        for form in dict.fromkeys((*in_json, *(text.replace("/", "\\/") for text in in_json))):
            if form.encode() in content:
                content = content.replace(form.encode(), b"[redacted]")
    return content


def redacted(text: str | bytearray, secrets: Sequence[str], most: int = _MAX_CHARACTERS) -> str:
    """A text in one short line, without the secrets, however they are written, or what looks like a key.

    It is cut to its length last: a part of a secret that was cut off before would not be found.
    """
    start = text[:_LOOKED_AT]
    # In a string a lone surrogate could not be logged.
    text = (start.encode("utf-8", "replace") if isinstance(start, str) else start).decode("utf-8", "replace")
    if forms := [form for secret in _longest_first(secrets) for form in _forms(secret)]:
        text = re.sub("|".join(forms), "[redacted]", text, flags=re.IGNORECASE)
    text = _MASKED.sub("[redacted]", clean(text))
    return text if len(text) <= most else text[:most] + "…"


def _longest_first(secrets: Sequence[str]) -> list[str]:
    """One secret may be a part of another."""
    return sorted((secret for secret in secrets if len(secret) >= _MIN_LENGTH), key=len, reverse=True)


def _written(secret: str) -> list[str]:
    """A secret as it is, in a URL, HTML or base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    return [secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), encoded]


def _forms(secret: str) -> list[str]:
    """Patterns of a secret as it is, in JSON, Python, a URL, HTML or base64, and of its beginning with what follows."""
    written = {
        *_written(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        secret.encode("latin-1", "replace").decode("utf-8", "replace"),
    }
    forms = sorted(written, key=len, reverse=True)
    return [re.escape(form) for form in forms] + [re.escape(secret[:_MIN_LENGTH]) + r"\S*"]
