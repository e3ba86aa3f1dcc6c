"""One fine-tuning job: the API's payload checked and brought to the columns of the table."""

import json
import re
import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeGuard

from snapshot.errors import FieldError

TERMINAL = ("succeeded", "failed", "cancelled")
ACTIVE = ("validating_files", "queued", "running", "pausing", "created", "pending")
KNOWN_STATUSES = (*ACTIVE, "paused", *TERMINAL)

_ERROR_LENGTH = 1024
_LAST_TIMESTAMP = 253_402_300_799  # 9999-12-31T23:59:59Z, where the calendar of `datetime` ends
_WHITESPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class Job(NamedTuple):
    """The columns of the table, in their order. All are strings; absent is the empty one."""

    created_at: str
    updated_at: str
    status: str
    model: str
    id: str
    fine_tuned_model: str
    trained_tokens: str
    shutdown_date: str
    error: str
    method: str
    training_file: str
    metadata: str


def parse(payload: Any) -> Job:
    """Check a job object of `GET /fine_tuning/jobs`; raises FieldError naming field and expectation.

    `updated_at` is the payload's own or `finished_at`, empty if it has neither; `shutdown_date` is always empty here.
    """
    if not isinstance(payload, Mapping):
        raise FieldError("", "is not an object")
    job_id = _text(payload, "id", required=True)
    if job_id != payload["id"] or not job_id.isprintable() or " " in job_id:  # it goes into paths and is a key
        raise FieldError(".id", f"must be printable and without white space, not {_shown(payload['id'])}")
    return Job(
        created_at=_time(payload, "created_at", required=True),
        updated_at=_time(payload, "updated_at") or _time(payload, "finished_at"),
        status=_text(payload, "status", required=True),
        model=_text(payload, "model"),
        id=job_id,
        fine_tuned_model=_text(payload, "fine_tuned_model"),
        trained_tokens=_count(payload, "trained_tokens"),
        shutdown_date="",
        error=_error(payload),
        method=_text(_object(payload, "method"), "type", parent=".method"),
        training_file=_text(payload, "training_file"),
        metadata=_compact(_object(payload, "metadata")),
    )


def base_model(model: str) -> str:
    """The model at the bottom: of `ft:BASE:…`, which can be fine-tuned further, BASE."""
    return model.split(":", 2)[1] if model.startswith("ft:") else model


def format_time(seconds: float) -> str:
    """Unix time as the table has it: UTC in ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def is_time(value: Any) -> TypeGuard[float]:
    """Whether a value is Unix time in seconds within the calendar."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LAST_TIMESTAMP


def clean(text: str) -> str:
    """Every run of white space and control characters as one space: TSV knows no escapes."""
    if text.isprintable() and " " not in text:  # nearly every field
        return text
    return _WHITESPACE.sub(" ", text).strip(" ")


def _time(payload: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = payload.get(name)
    if not required and (value is None or value == 0):  # servers written in Go send 0 for «not yet»
        return ""
    if not is_time(value):
        raise FieldError(f".{name}", f"must be Unix time in seconds, not {_shown(value)}")
    return format_time(value)


def _text(payload: Mapping[str, Any], name: str, *, required: bool = False, parent: str = "") -> str:
    value = payload.get(name)
    if value is None and not required:
        return ""
    text = clean(value) if isinstance(value, str) else None
    if text is None or (required and not text):
        what = "a non-empty string" if required else "a string"
        raise FieldError(f"{parent}.{name}", f"must be {what}, not {_shown(value)}")
    return text


def _count(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError(f".{name}", f"must be a whole number, not {_shown(value)}")
    return str(value)


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise FieldError(f".{name}", f"must be an object, not {_shown(value)}")
    return value


def _error(payload: Mapping[str, Any]) -> str:
    # null, {} and all-null fields all mean «no error», whatever the status; some servers send bare text.
    if isinstance(text := payload.get("error"), str):
        return clean(text)[:_ERROR_LENGTH]
    error = _object(payload, "error")
    parts = (_text(error, "code", parent=".error"), _text(error, "message", parent=".error"))
    return ": ".join(part for part in parts if part)[:_ERROR_LENGTH].rstrip(" ")


def _compact(metadata: Mapping[str, Any]) -> str:
    if not metadata:
        return ""
    try:
        return clean(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:
        raise FieldError(".metadata", "is nested too deeply") from None


def _shown(value: Any) -> str:
    """A value short enough for a message."""
    text = reprlib.repr(value)  # which goes only a few levels deep
    return text if len(text) <= 60 else text[:60] + "…"
