"""Many listings of servers with any order and paging, while their jobs change: each is correct, or an error.

There is one account for every eight `--ticks`, and each is listed 25 times.
"""

import random
import re
import time
from collections import Counter

import pytest
from snapshot.api.client import Client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import ApiError
from snapshot.listing import list_jobs
from snapshot.table import Line

from tests.soak.moving import MovingAccount, Server

RUNS = 25
FULL_EVERY = 3  # with read-ahead
_LABEL = re.compile(r"^GET \S+( page \d+)?( \(request id [^)]*\))?: ")

_NUMBER = re.compile(r"\d{1,3}\b")


def list_repeatedly(seed: int, ends: Counter[str]) -> None:
    """List one account again and again; count the outcomes in `ends`."""
    chance = random.Random(seed)
    server = Server.random_one(chance)
    previous: list[Line] | None = None
    with server.api() as api:
        account = MovingAccount(api, server, chance)
        with Client(Credentials(api.key, api.base_url, paging=server.paging), Deadline.after(600)) as client:
            for number in range(RUNS):
                for _ in range(chance.choice((0, 0, 1, 3, 12))):
                    account.step()
                # Sometimes, and in the last run, nothing changes during a listing: then it must not fail.
                account.change_rate = 0 if number == RUNS - 1 or chance.random() < 0.3 else server.change_rate
                account.begin_run()
                where = f"seed {seed}, run {number}, {server}"
                try:
                    listing = list_jobs(client, previous or [], full=previous is None or number % FULL_EVERY == 0)
                except ApiError as error:
                    if not account.change_rate:
                        pytest.fail(f"{where}: {error}")
                    reason = _LABEL.sub("", str(error)).split(". ")[0]
                    ends[f"failed: {_NUMBER.sub('n', reason)}"] += 1
                    continue
                problems = account.problems(previous, listing.lines, full=listing.full)
                assert not problems, f"{where}: {problems}"
                ends["full" if listing.full else "incremental"] += 1
                previous = listing.lines


def test_listing_is_complete_or_an_error(figures: list[str], pytestconfig: pytest.Config) -> None:
    accounts, seed = pytestconfig.getoption("ticks") // 8, pytestconfig.getoption("seed")
    started = time.monotonic()
    ends: Counter[str] = Counter()
    for number in range(accounts):
        list_repeatedly(seed * 100_000 + number, ends)
    figures.append(f"listings: {accounts} accounts from seed {seed} on, {time.monotonic() - started:.0f} s")
    figures += [f"    {count} {end}" for end, count in sorted(ends.items())]
