"""The values of a job's payload as the table has them: text for what can be read, None for what is of a wrong type."""

import json
import re
import reprlib
from datetime import UTC, datetime
from typing import Any

_ERROR_LENGTH = 1024
_LAST_TIMESTAMP = 253_402_300_799  # 9999-12-31T23:59:59Z, where the calendar of `datetime` ends
_MILLISECONDS = 1e11  # as seconds that would be the year 5138
# White space, controls, and what turns the direction of writing around: https://www.unicode.org/reports/tr9/
_GAPS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DAY = re.compile(r"(19|20)[0-9]{6}")  # as seconds that would be in the year 1970
_WHOLE = re.compile(r"([0-9]{1,40})(\.0*)?")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def clean(text: str) -> str:
    """Every run of white space and control characters as one space: TSV knows no escapes."""
    if text.isprintable() and " " not in text:  # nearly every field
        return text
    return _GAPS.sub(" ", text).strip(" ")


def text(value: Any) -> str | None:
    """A string in one line."""
    return clean(value) if isinstance(value, str) else None


def time(value: Any) -> str | None:
    """A time as UTC in ISO 8601 with milliseconds; empty for what servers send for «not yet».

    It may be Unix time in seconds or milliseconds, as a number or as digits, or ISO 8601 (UTC without a zone).
    """
    found = 0.0 if value == "" else seconds(value)
    if found is None:
        return None
    return format_time(found) if found > 0 else ""  # neither 0 nor Go's zero time, in the year 1


def format_time(seconds: float) -> str:
    """Unix time as the table has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def day(value: Any) -> str | None:
    """The day (UTC, YYYY-MM-DD) of a date or of a time as `time` takes it; empty for none."""
    found = time(value)
    return found[:10] if found else found


def seconds(value: Any) -> float | None:
    """A time as `time` takes it as Unix time in seconds, negative before 1970."""
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
    """A whole number, also as a string or float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = _WHOLE.fullmatch(value.strip())
        return (found[1].lstrip("0") or "0") if found else None if value.strip() else ""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return None


def scalar(value: Any) -> str | None:
    """A string or number."""
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, float) and not value.is_integer() else text(value) or count(value)


def files(value: Any) -> str | None:
    """An id of a file, or a list of them, joined with a comma."""
    if not isinstance(value, list):
        return text(value)
    ids = [text(entry) for entry in value]
    return None if None in ids else ",".join(filter(None, ids))


def compact(value: Any) -> str | None:
    """An object as JSON without white space, NaN and infinities as null; empty for an empty one."""
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
    """The type of a method, which may be the type itself."""
    if isinstance(value, dict):
        value = value.get("type") or ""
    return text(value)


def method_settings(value: Any) -> str | None:
    """What a method's type was set up with: all of it, or its hyperparameters alone where it holds nothing else."""
    settings = value.get(value.get("type")) if isinstance(value, dict) and method_type(value) else None
    if isinstance(settings, dict) and settings.keys() == {"hyperparameters"}:
        settings = settings["hyperparameters"]
    return compact(settings) if settings else ""


def error(value: Any) -> str | None:
    """An error as `code: message`; null, {}, all-null fields, [] and false all mean that there is none."""
    entries = value if isinstance(value, list) else [value]
    told = [_one_error(entry) for entry in entries]
    return None if None in told else "; ".join(filter(None, told))[:_ERROR_LENGTH].rstrip(" ")


def _one_error(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "" if value is None or value is False else text(value)
    parts = [scalar(part) or compact(part) for part in (value.get("code"), value.get("message")) if part]
    if not parts and any(value.values()):
        return compact(value)
    return None if None in parts else ": ".join(filter(None, parts))


def shown(value: Any) -> str:
    """A value short enough for a message."""
    found = reprlib.repr(value)  # which goes only a few levels deep
    return found if len(found) <= 60 else found[:60] + "…"
