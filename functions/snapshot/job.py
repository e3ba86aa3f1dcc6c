"""One fine-tuning job: the API's payload converted to the columns of the table."""

from collections.abc import Callable
from typing import Any, NamedTuple

from snapshot import fields
from snapshot.errors import FieldError

Reader = Callable[[Any], str | None]  # as in `fields`


class Job(NamedTuple):
    """The columns of the table, in their order. All are strings; a missing value is empty."""

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
    finished_at: str
    hyperparameters: str
    seed: str
    suffix: str
    validation_file: str
    result_files: str


class Parsed(NamedTuple):
    """A job, and the names of the payload's fields with a wrong type; their columns are empty."""

    job: Job
    mistyped_fields: list[str]


def parse(payload: Any) -> Parsed:
    """Return the job in an object of `GET /fine_tuning/jobs`; raises FieldError for a bad id, created_at or status.

    `updated_at` is the payload's own, else `finished_at`, else empty; `shutdown_date` is always empty here.
    """
    if not isinstance(payload, dict):
        raise FieldError("", "is not an object")
    job_id, status = _required_text(payload, "id"), _required_text(payload, "status")
    if job_id != payload["id"] or not job_id.isprintable() or " " in job_id:  # it is used in paths and as a key
        raise FieldError(".id", f"must be printable and without white space, not {fields.shown(payload['id'])}")
    created_at = fields.seconds(payload.get("created_at"))
    if created_at is None or created_at < 0:
        raise FieldError(".created_at", f"must be Unix time in seconds, not {fields.shown(payload.get('created_at'))}")
    mistyped_fields: list[str] = []

    def column(read: Reader, *names: str) -> str:
        """Return the first of these fields that has a value."""
        for name in names:
            if (value := payload.get(name)) is not None:
                if text := read(value):
                    return text
                if text is None:
                    mistyped_fields.append(name)
        return ""

    finished_at = column(fields.time, "finished_at")
    job = Job(
        created_at=fields.format_time(created_at),
        updated_at=column(fields.time, "updated_at", "modified_at") or finished_at,
        status=status,
        model=column(fields.text, "model"),
        id=job_id,
        fine_tuned_model=column(fields.text, "fine_tuned_model"),
        trained_tokens=column(fields.count, "trained_tokens"),
        shutdown_date="",
        error=column(fields.error, "error"),
        method=column(fields.method_type, "method"),
        training_file=column(fields.files, "training_file", "training_files"),
        metadata=column(fields.compact, "metadata"),
        finished_at=finished_at,
        hyperparameters=column(fields.method_settings, "method") or column(fields.compact, "hyperparameters"),
        seed=column(fields.scalar, "seed"),
        suffix=column(fields.text, "user_provided_suffix", "suffix"),
        validation_file=column(fields.files, "validation_file", "validation_files"),
        result_files=column(fields.files, "result_files"),
    )
    return Parsed(job, mistyped_fields)


def base_model(model: str) -> str:
    """Return the base model: BASE for `ft:BASE:…`, a fine-tuned model that was fine-tuned again."""
    return model.split(":", 2)[1] if model.startswith("ft:") else model


def _required_text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not (text := fields.text(value)):
        raise FieldError(f".{name}", f"must be a non-empty string, not {fields.shown(value)}")
    return text
