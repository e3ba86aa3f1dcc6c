"""What the API says of its models: which there are, and when they will be shut down."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from snapshot import table
from snapshot.job import base_model
from snapshot.table import Line


class Models(NamedTuple):
    """Announced shutdown date (YYYY-MM-DD) of each model: empty if none is announced, None if the API does not say."""

    shutdown_dates: Mapping[bytes, bytes | None]

    @property
    def tell_dates(self) -> bool:
        """Whether the API says of any model when it is shut down, or that it is not."""
        return any(date is not None for date in self.shutdown_dates.values())

    @property
    def list_fine_tuned(self) -> bool:
        """Whether fine-tuned models are among them, so that one that is not listed any more is gone."""
        return any(model.startswith(b"ft:") for model in self.shutdown_dates)

    def dated(self, line: Line) -> Line:
        """A line with the shutdown date of its fine-tuned model, else of the base, else the last known one."""
        fields = table.head(line)
        date: bytes | None = b""
        if fine_tuned_model := fields[table.FINE_TUNED_MODEL]:
            own, base = self.shutdown_dates.get(fine_tuned_model), self.shutdown_dates.get(_base(fields[table.MODEL]))
            date = own if own or base is None else base
        if date is None or date == fields[table.SHUTDOWN_DATE]:
            return line
        return table.with_shutdown_date(line, date)


NO_MODELS = Models({})


@lru_cache
def _base(model: bytes) -> bytes:
    return base_model(model.decode()).encode()
