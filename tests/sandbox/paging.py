"""How the simulated API divides its lists into pages."""

import json
from collections.abc import Mapping, Sequence

LARGEST_PAGE = 100
DEFAULT_PAGE = 20


class Paging:
    """Settings of a server, which may be set while it serves."""

    def __init__(self, paging: str = "after", *, tells_has_more: bool = True, tells_total: bool = False) -> None:
        self.paging = paging  # "after", "page" or "none", as a secret has it
        self.largest_page = LARGEST_PAGE
        self.tells_has_more = tells_has_more
        self.tells_total = tells_total
        self.ignores_place = False  # gives the first page, whichever is asked for
        self.unknown_cursor = "404"  # or "empty", or "restart": what comes after a job that is not there

    def window(self, query: Mapping[str, str], positions: Mapping[str, int]) -> slice | None:
        """Which entries a request asks for, whose places by id are given; None for a cursor to be refused."""
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
        """A list object with one page's entries."""
        has_more = f',"has_more":{json.dumps(window.stop < total)}' if self.tells_has_more else ""
        count = f',"total":{total}' if self.tells_total else ""
        return b'{"object":"list","data":[' + b",".join(entries) + b"]" + f"{has_more}{count}}}".encode()
