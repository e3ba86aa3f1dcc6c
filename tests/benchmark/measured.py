"""One listing, measured in its own process: `python measured.py VARIANT BASE_URL KEY`.

Prints the number of jobs, the seconds and CPU seconds of the listing, the process's peak memory and the number of
requests. Imports and the creation of clients are not counted; see cold.py for these.
"""

import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = 100


def sdk(base_url: str, key: str) -> Callable[[], int]:
    """The official SDK, with its own pagination."""
    from openai import OpenAI  # noqa: PLC0415

    client = OpenAI(api_key=key, base_url=base_url)
    return lambda: sum(1 for _ in client.fine_tuning.jobs.list(limit=PAGE))


def dlt(base_url: str, key: str) -> Callable[[], int]:
    """The REST source of dlt, without a destination."""
    from dlt.sources.helpers.rest_client import RESTClient  # noqa: PLC0415
    from dlt.sources.helpers.rest_client.auth import BearerTokenAuth  # noqa: PLC0415
    from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator  # noqa: PLC0415

    paginator = JSONResponseCursorPaginator("data[-1].id", "after", has_more_path="has_more")
    client = RESTClient(base_url, auth=BearerTokenAuth(key), paginator=paginator)
    path, params = "fine_tuning/jobs", {"limit": PAGE}
    return lambda: sum(len(page) for page in client.paginate(path, params=params, data_selector="data"))


def floor(base_url: str, key: str) -> Callable[[], int]:
    """The standard library, with a connection for each page and no checks."""

    def run() -> int:
        count, after = 0, ""
        while True:
            url = f"{base_url}/fine_tuning/jobs?limit={PAGE}{after}"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
            with urllib.request.urlopen(request) as response:
                page = json.load(response)
            count += len(page["data"])
            if not page["has_more"]:
                return count
            after = f"&after={page['data'][-1]['id']}"

    return run


def ours(full: bool) -> Callable[[], int]:
    """The whole handler: secret, listing, table, uploads, metrics."""
    from snapshot import aws  # noqa: PLC0415
    from snapshot.app import lambda_handler  # noqa: PLC0415

    from tests.context import Context  # noqa: PLC0415

    aws.s3_client()
    aws.secrets_client()

    def run() -> int:
        summary: dict[str, Any] = {**lambda_handler({"full": full}, Context(900))}  # no run is skipped here
        return int(summary["job_count"])

    return run


def peak_mib() -> float:
    """Return the peak memory of this process (ru_maxrss would include its parent's)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def requests_so_far(base_url: str) -> int:
    """Return the number of requests that the simulated API has received."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/requests") as response:
        return int(json.load(response))


def main() -> None:
    """Measure one variant, and print its figures as JSON."""
    variant, base_url, key = sys.argv[1:]
    peers = {"sdk": sdk, "dlt": dlt, "floor": floor}
    run = peers[variant](base_url, key) if variant in peers else ours(full=variant == "full")
    before = requests_so_far(base_url)
    wall, cpu = time.perf_counter(), time.process_time()
    jobs = run()
    measured = {
        "jobs": jobs,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mib": peak_mib(),
    }
    measured["requests"] = requests_so_far(base_url) - before
    print("\n" + json.dumps(measured))


if __name__ == "__main__":
    main()
