"""`make bench`: this project and its alternatives, measured side by side, as ratios.

Each measurement is its own process. The simulated API (another process) and the embedded AWS are on the same machine.
`python -m tests.benchmark.run 20@300 --runs 1` measures one row, and writes no file.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmark import report
from tests.benchmark.folders import PYTHON, Folders, child_environment, read_only_folders
from tests.benchmark.report import COLD_VARIANTS, VARIANTS, Figures, Row
from tests.sandbox.aws import ROOT, EmbeddedAws

HERE = Path(__file__).parent
PEERS = ("sdk", "dlt", "floor")
# With few jobs, the latency decides; with many, the work per job: only these have a row without latency.
ROWS = ((20, 50), (20, 300), (1_000, 50), (1_000, 300), (20_000, 0), (20_000, 50), (100_000, 0), (100_000, 50))
COLD_TIMES = 3  # cold runs for each other run, because they are short


def main() -> None:
    """Measure the rows in the arguments, or all rows."""
    parser = argparse.ArgumentParser(description="Measure this project against its peers.")
    parser.add_argument(
        "rows",
        nargs="*",
        type=parse_row,
        help="JOBS@MILLISECONDS; without any, all rows are measured and the files written",
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with EmbeddedAws() as aws, read_only_folders() as folders:
        cold = measure_cold(aws, folders, options.runs * COLD_TIMES)
        print(*report.cold_table(cold), "", sep="\n", flush=True)
        rows = []
        for jobs, latency in options.rows or ROWS:
            rows.append(Row(jobs, latency, measure(aws, folders, jobs, latency, options.runs)))
            print(*report.row_table(rows[-1:]), "", sep="\n", flush=True)
    if not options.rows:
        version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        runs = f"medians of {options.runs} runs" if options.runs > 1 else "one run of each"
        how = f"Measured on {datetime.now(UTC):%Y-%m-%d} with {version}; {runs}."
        report.write(rows, cold, how)


def parse_row(text: str) -> tuple[int, int]:
    """Return the jobs and milliseconds in `JOBS@MILLISECONDS`."""
    jobs, latency = text.split("@")
    return int(jobs), int(latency)


def measure(aws: EmbeddedAws, folders: Folders, jobs: int, latency: int, runs: int) -> dict[str, Figures]:
    """Return the medians of each variant's figures. The variants take turns, so that a slow moment affects all."""
    found: dict[str, list[Figures]] = {variant: [] for variant in VARIANTS}
    with simulated_api(jobs, latency) as (base_url, key):
        for number in range(1, runs + 1):
            settings = deployment(aws, base_url, key)
            for variant in VARIANTS:
                folder = folders.peers if variant in PEERS else folders.compiled
                output = run("measured.py", variant, base_url, key, environment=child_environment(folder) | settings)
                found[variant].append(json.loads(output.splitlines()[-1]))
                progress(f"{jobs:,} jobs, {latency} ms, {variant}: {number} of {runs}")
    return {
        variant: {name: statistics.median(figures[name] for figures in several) for name in several[0]}
        for variant, several in found.items()
    }


def measure_cold(aws: EmbeddedAws, folders: Folders, runs: int) -> Figures:
    """Return the median CPU seconds of whole processes, each with one run of 20 jobs."""
    found: dict[str, list[float]] = {variant: [] for variant in COLD_VARIANTS}
    with simulated_api(20, 0) as (base_url, key):
        settings = deployment(aws, base_url, key)
        for number in range(1, runs + 1):
            for variant, several in found.items():
                folder = folders.peers if variant in PEERS else getattr(folders, variant)
                before = cpu_of_children()
                run("cold.py", variant, base_url, key, environment=child_environment(folder) | settings)
                several.append(cpu_of_children() - before)
                progress(f"cold, {variant}: {number} of {runs}")
    return {variant: statistics.median(several) for variant, several in found.items()}


def cpu_of_children() -> float:
    """Return the CPU seconds of all ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def simulated_api(jobs: int, latency: int) -> Iterator[tuple[str, str]]:
    """Start the simulated API in its own process; yield its base URL and key."""
    command = [sys.executable, "-m", "tests.benchmark.server", str(jobs), str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url, key = process.stdout.readline().split()
            yield base_url, key
        finally:
            process.terminate()


def deployment(aws: EmbeddedAws, base_url: str, key: str) -> dict[str, str]:
    """Create a bucket and a secret; return the function's variables for them."""
    name = f"bench-{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    aws.put_secret(f"{name}/default", key)
    return aws.environment | {
        "SNAPSHOT_BUCKET": name,
        "SECRET_PREFIX": f"{name}/",
        "OPENAI_BASE_URL": base_url,
        "MALLOC_MMAP_THRESHOLD_": "1048576",  # as in the template
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "FineTuning",
    }


def run(script: str, *arguments: str, environment: dict[str, str]) -> str:
    """Run a script of this folder with the packages of PYTHONPATH only; return its output. Raises RuntimeError."""
    command = [PYTHON, "-S", str(HERE / script), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}:\n{done.stderr}")
    return done.stdout


def progress(line: str) -> None:
    """Print the progress on standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
