"""What the API says of its models: which there are, and when they will be shut down."""

from collections.abc import Iterable, Mapping
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

    def filled_into(self, lines: Iterable[Line]) -> list[Line]:
        """A table's lines with the shutdown dates; where the API does not say, the last known date stays."""
        return [self._filled_into(line) for line in lines]

    def _filled_into(self, line: Line) -> Line:
        fields = table.head(line)
        date = self._shutdown_date(fields[table.MODEL], fields[table.FINE_TUNED_MODEL])
        if date is None or date == fields[table.SHUTDOWN_DATE]:
            return line
        return table.with_shutdown_date(line, date)

    def _shutdown_date(self, model: bytes, fine_tuned_model: bytes) -> bytes | None:
        """That of a fine-tuned model, else of its base; empty if none is announced, None if the API does not say."""
        if not fine_tuned_model:
            return b""
        own, base = self.shutdown_dates.get(fine_tuned_model), self.shutdown_dates.get(_base(model))
        return own if own or base is None else base


NO_MODELS = Models({})


@lru_cache
def _base(model: bytes) -> bytes:
    return base_model(model.decode()).encode()
