"""The API's models and their shutdown dates."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from snapshot import fields, table
from snapshot.table import Line


class Models(NamedTuple):
    """Announced shutdown date (YYYY-MM-DD) of each model: empty if none is announced, None if the API does not say.

    `unreadable_entries` counts the API's entries without an id or with an invalid date.
    """

    shutdown_dates: Mapping[bytes, bytes | None]
    unreadable_entries: int = 0

    @property
    def has_dates(self) -> bool:
        """Whether the API has information on the shutdown of any model."""
        return any(date is not None for date in self.shutdown_dates.values())

    @property
    def list_fine_tuned(self) -> bool:
        """Whether the API lists fine-tuned models, so that one that is not listed has been removed."""
        return any(model.startswith(b"ft:") or b".ft-" in model for model in self.shutdown_dates)

    def dated(self, line: Line) -> Line:
        """Return a line with the shutdown date of its fine-tuned model, else of the base, else the last known date."""
        row = table.head(line)
        date: bytes | None = b""
        if fine_tuned_model := row[table.FINE_TUNED_MODEL]:
            # The job's `model` may be an alias; the name of the fine-tuned model then holds the exact base.
            date_of = self.shutdown_dates.get
            own, named, base = (
                date_of(fine_tuned_model),
                date_of(_base(fine_tuned_model)),
                date_of(_base(row[table.MODEL])),
            )
            date = own or named or base or (b"" if b"" in (own, named, base) else None)
        if date is None or date == row[table.SHUTDOWN_DATE]:
            return line
        return table.with_shutdown_date(line, date)


NO_MODELS = Models({})


def shutdown_date(entry: Mapping[str, Any]) -> str | None:
    """Return the date (YYYY-MM-DD) that an entry of `GET /models` announces, empty for none, None if it does not say.

    OpenAI has `shutdown_date`, Azure `deprecation.inference` in Unix time, Mistral `deprecation` as a date-time. Raises
    ValueError for anything else.
    """
    if "shutdown_date" not in entry and "deprecation" not in entry:  # true for nearly all fine-tuned models
        return None
    given = {name: entry[name] for name in ("shutdown_date", "deprecation") if name in entry}
    if isinstance(deprecation := given.get("deprecation"), dict):
        del given["deprecation"]
        if "inference" in deprecation:
            given["inference"] = deprecation["inference"]
    for value in filter(None, given.values()):
        if (day := fields.day(value)) is None:
            raise ValueError("not a date")
        if day:
            return day
    return "" if given else None


def _base(model: bytes) -> bytes:
    # Like `job.base_model`, without decoding two names for each of very many jobs.
    return model.split(b":", 2)[1] if model.startswith(b"ft:") else model
