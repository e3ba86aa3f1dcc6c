"""What the API says of its models: which there are, and when they will be shut down."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from snapshot import fields, table
from snapshot.table import Line


class Models(NamedTuple):
    """Announced shutdown date (YYYY-MM-DD) of each model: empty if none is announced, None if the API does not say.

    `odd_entries` is how many of the API's entries were skipped because they have no id, or a date that is none.
    """

    shutdown_dates: Mapping[bytes, bytes | None]
    odd_entries: int = 0

    @property
    def tell_dates(self) -> bool:
        """Whether the API says of any model when it is shut down, or that it is not."""
        return any(date is not None for date in self.shutdown_dates.values())

    @property
    def list_fine_tuned(self) -> bool:
        """Whether fine-tuned models are among them, so that one that is not listed any more is gone."""
        return any(model.startswith(b"ft:") or b".ft-" in model for model in self.shutdown_dates)

    def dated(self, line: Line) -> Line:
        """A line with the shutdown date of its fine-tuned model, else of the base, else the last known one."""
        row = table.head(line)
        date: bytes | None = b""
        if fine_tuned_model := row[table.FINE_TUNED_MODEL]:
            # The job may name its base by an alias; the fine-tuned model's own name then has the dated one.
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
    """The date (YYYY-MM-DD) that an entry of `GET /models` announces, empty for none, None if it does not say.

    OpenAI has `shutdown_date`, Azure `deprecation.inference` in Unix time, Mistral `deprecation` as a date-time. Raises
    ValueError for what is none of these.
    """
    if "shutdown_date" not in entry and "deprecation" not in entry:  # as nearly all of the many that jobs have made
        return None
    told = {name: entry[name] for name in ("shutdown_date", "deprecation") if name in entry}
    if isinstance(deprecation := told.get("deprecation"), dict):
        del told["deprecation"]
        if "inference" in deprecation:
            told["inference"] = deprecation["inference"]
    for value in filter(None, told.values()):
        if (day := fields.day(value)) is None:
            raise ValueError("not a date")
        if day:
            return day
    return "" if told else None


def _base(model: bytes) -> bytes:
    # As `job.base_model`, without decoding two names of each of very many jobs.
    return model.split(b":", 2)[1] if model.startswith(b"ft:") else model
