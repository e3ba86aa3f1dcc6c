"""Conversion of a payload's values to the table's texts. None means that a value has a wrong type."""

import json
import re
import reprlib
from datetime import UTC, datetime
from typing import Any

_ERROR_LENGTH = 1024
_LAST_TIMESTAMP = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second of `datetime`
_MILLISECONDS = 1e11  # larger numbers are milliseconds: as seconds this is the year 5138
# White space, controls, and characters that change the direction of text: https://www.unicode.org/reports/tr9/
_GAPS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DAY = re.compile(r"(19|20)[0-9]{6}")  # YYYYMMDD: as seconds this would be in the year 1970
_WHOLE = re.compile(r"([0-9]{1,40})(\.0*)?")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def clean(text: str) -> str:
    """Replace each run of white space and control characters with one space, because TSV has no escapes."""
    if text.isprintable() and " " not in text:  # true for nearly every field
        return text
    return _GAPS.sub(" ", text).strip(" ")


def text(value: Any) -> str | None:
    """Return a string on one line."""
    return clean(value) if isinstance(value, str) else None


def time(value: Any) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds; empty for 0 and the like, which servers send for «not yet».

    The value is Unix time in seconds or milliseconds, as a number or digits, or ISO 8601 (UTC if it has no zone).
    """
    found = 0.0 if value == "" else seconds(value)
    if found is None:
        return None
    return format_time(found) if found > 0 else ""  # 0, or Go's zero time, which is in the year 1


def format_time(seconds: float) -> str:
    """Return Unix time in seconds in the table's format."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def day(value: Any) -> str | None:
    """Return the day (UTC, YYYY-MM-DD) of a date, or of a time that `time` accepts; empty for «not yet»."""
    found = time(value)
    return found[:10] if found else found


def seconds(value: Any) -> float | None:
    """Convert a time that `time` accepts to Unix time in seconds, negative before 1970."""
    if isinstance(value, str):
        digits = value.strip()
        if _DAY.fullmatch(digits) or not _NUMBER.fullmatch(digits):
            return _iso_seconds(digits)
        value = float(digits)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_TIMESTAMP * 1000:
        return None
    return value / 1000 if value > _MILLISECONDS else value


def _iso_seconds(value: str) -> float | None:
    try:
        found = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    found_seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return found_seconds if found_seconds <= _LAST_TIMESTAMP else None


def count(value: Any) -> str | None:
    """Return a whole number, which may be a string or float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = _WHOLE.fullmatch(value.strip())
        return (found[1].lstrip("0") or "0") if found else None if value.strip() else ""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return None


def scalar(value: Any) -> str | None:
    """Return a string, number or boolean."""
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, float) and not value.is_integer() else text(value) or count(value)


def files(value: Any) -> str | None:
    """Return a file id, or a list of them joined with commas."""
    if not isinstance(value, list):
        return text(value)
    ids = [text(entry) for entry in value]
    return None if None in ids else ",".join(filter(None, ids))


def compact(value: Any) -> str | None:
    """Return an object as compact JSON, NaN and infinities as null; empty for an empty object."""
    if not value and isinstance(value, dict | list):
        return ""
    if not isinstance(value, dict):
        return None
    try:
        return clean(_encode(value))
    except ValueError:
        return clean(_encode(json.loads(json.dumps(value), parse_constant=lambda _: None)))
    except RecursionError:
        return None


def method_type(value: Any) -> str | None:
    """Return the type of a method, which is an object or the type itself."""
    if isinstance(value, dict):
        value = value.get("type") or ""
    return text(value)


def method_settings(value: Any) -> str | None:
    """Return a method's settings as compact JSON; only the hyperparameters if there are no other settings."""
    settings = value.get(value.get("type")) if isinstance(value, dict) and method_type(value) else None
    if isinstance(settings, dict) and settings.keys() == {"hyperparameters"}:
        settings = settings["hyperparameters"]
    return compact(settings) if settings else ""


def error(value: Any) -> str | None:
    """Return an error as `code: message`; null, {}, all-null fields, [] and false mean that there is none."""
    entries = value if isinstance(value, list) else [value]
    errors = [_one_error(entry) for entry in entries]
    return None if None in errors else "; ".join(filter(None, errors))[:_ERROR_LENGTH].rstrip(" ")


def _one_error(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "" if value is None or value is False else text(value)
    parts = [scalar(part) or compact(part) for part in (value.get("code"), value.get("message")) if part]
    if not parts and any(value.values()):
        return compact(value)
    return None if None in parts else ": ".join(filter(None, parts))


def shown(value: Any) -> str:
    """Return a value in a form that is short enough for a message."""
    found = reprlib.repr(value)  # shows only a few levels
    return found if len(found) <= 60 else found[:60] + "…"
