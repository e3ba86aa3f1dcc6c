"""One listing, measured in a process of its own: `python measured.py VARIANT BASE_URL KEY`.

Prints the number of jobs, the seconds and CPU seconds from before the listing to its result, the process's peak memory
and the requests made. Imports and the making of clients are not counted; see cold.py for them.
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
    """The official SDK's own pagination."""
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
    """The standard library, a connection for each page, and nothing checked."""

    def run() -> int:
        count, after = 0, ""
        while True:
            url = f"{base_url}/fine_tuning/jobs?limit={PAGE}{after}"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
            with urllib.request.urlopen(request) as answer:
                page = json.load(answer)
            count += len(page["data"])
            if not page["has_more"]:
                return count
            after = f"&after={page['data'][-1]['id']}"

    return run


def ours(full: bool) -> Callable[[], int]:
    """The whole handler: secret, listing, table, uploads, metrics. Its environment is that of Lambda."""
    from snapshot import aws  # noqa: PLC0415
    from snapshot.app import lambda_handler  # noqa: PLC0415

    from tests.context import Context  # noqa: PLC0415

    aws.s3_client()
    aws.secrets_client()

    def run() -> int:
        summary: dict[str, Any] = {**lambda_handler({"full": full}, Context(900))}  # of a run that is not skipped
        return int(summary["job_count"])

    return run


def peak_mib() -> float:
    """The most memory that this process itself has held (ru_maxrss would begin with its parent's)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def requests_so_far(base_url: str) -> int:
    """How many requests the simulated API has had."""
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/requests") as answer:
        return int(json.load(answer))


def main() -> None:
    """Measure the variant that is asked for."""
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
