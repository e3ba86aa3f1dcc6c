"""The paging of the simulated API."""

import json
from collections.abc import Mapping, Sequence

LARGEST_PAGE = 100
DEFAULT_PAGE = 20


class Paging:
    """The settings of a server; they may be changed while it serves."""

    def __init__(self, paging: str = "after", *, tells_has_more: bool = True, tells_total: bool = False) -> None:
        self.paging = paging  # "after", "page" or "none", as in a secret
        self.largest_page = LARGEST_PAGE
        self.tells_has_more = tells_has_more
        self.tells_total = tells_total
        self.ignores_place = False  # returns the first page to every request
        self.unknown_cursor = "404"  # or "empty", or "restart": the response to a cursor that it does not know

    def window(self, query: Mapping[str, str], positions: Mapping[str, int]) -> slice | None:
        """Return which entries a request gets, of those in `positions` (id to index); None to refuse its cursor."""
        if self.paging == "none":
            return slice(0, len(positions))
        size = max(1, min(int(query.get("limit", query.get("page_size", DEFAULT_PAGE))), self.largest_page))
        start = 0 if self.ignores_place else self._first(query, positions, size)
        return None if start is None else slice(start, start + size)

    def _first(self, query: Mapping[str, str], positions: Mapping[str, int], size: int) -> int | None:
        if self.paging == "page":
            return int(query.get("page", 0)) * size
        after = query.get("after")
        if after is None or after in positions:
            return 0 if after is None else positions[after] + 1
        return {"404": None, "empty": len(positions), "restart": 0}[self.unknown_cursor]

    def body(self, entries: Sequence[bytes], window: slice, total: int) -> bytes:
        """Return a list object with the entries of one page."""
        has_more = f',"has_more":{json.dumps(window.stop < total)}' if self.tells_has_more else ""
        count = f',"total":{total}' if self.tells_total else ""
        return b'{"object":"list","data":[' + b",".join(entries) + b"]" + f"{has_more}{count}}}".encode()
