"""The key kept out of somebody else's words, whatever they echo."""

import base64
import html
import json
import re
from urllib.parse import quote

from snapshot.fields import clean

_MAX_CHARACTERS = 400  # of somebody else's text in a message of ours
_LOOKED_AT = 1 << 16  # of it; more would cost a multiple of its size in memory
# Shorter keys, as servers without authentication take them, are words that may stand anywhere.
_MIN_KEY_LENGTH = 8
# What an API echoes of a key: its beginning, stars, its end.
_MASKED = re.compile(r"(?<!\S)\S*?\*\*\S*|\bsk-\S+")


def without_key(content: bytearray, key: str) -> bytearray:
    """An answer without the key, so that no field brings it into a table or an event."""
    in_json = json.dumps(key)[1:-1]
    for form in (key, in_json, in_json.replace("/", "\\/")):
        if len(key) >= _MIN_KEY_LENGTH and form.encode() in content:
            content = content.replace(form.encode(), b"[redacted]")
    return content


def redacted(text: str | bytearray, key: str, most: int = _MAX_CHARACTERS) -> str:
    """A text in one short line, without the key, however it is written, or what looks like a key.

    It is cut to its length last: a part of a key that was cut off before would not be found.
    """
    start = text[:_LOOKED_AT]
    # In a string a lone surrogate could not be logged.
    text = (start.encode("utf-8", "replace") if isinstance(start, str) else start).decode("utf-8", "replace")
    if len(key) >= _MIN_KEY_LENGTH:
        text = re.sub("|".join(_forms(key)), "[redacted]", text, flags=re.IGNORECASE)
    text = _MASKED.sub("[redacted]", clean(text))
    return text if len(text) <= most else text[:most] + "…"


def _forms(key: str) -> list[str]:
    """Patterns of the key as it is, in JSON, Python, a URL, HTML or base64, and of its beginning with what follows."""
    written = (key, json.dumps(key)[1:-1], repr(key)[1:-1], quote(key, safe=""), html.escape(key))
    encoded = base64.b64encode(key.encode()).decode()
    return [re.escape(form) for form in (*written, encoded)] + [re.escape(key[:_MIN_KEY_LENGTH]) + r"\S*"]
