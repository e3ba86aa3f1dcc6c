"""`make bench`: this project against what one would use instead, side by side, as ratios.

Every measurement is a process of its own, against one simulated API (a process too) and the embedded AWS on the same
machine. Writes results.md and cost.svg beside this file.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.sandbox.aws import ROOT, EmbeddedAws

HERE = Path(__file__).parent
PEERS = ("sdk", "dlt", "floor")
VARIANTS = ("first", "full", "incremental", *PEERS)
Figures = dict[str, float]
PYTHON = (sys.executable,)
LAMBDA = (sys.executable, "-S")  # only what PYTHONPATH leads to: no package of the development tools


def main() -> None:
    """Measure everything that is asked for."""
    parser = argparse.ArgumentParser(description="Measure this project against its peers.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[20, 1_000, 20_000, 100_000])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.05], help="seconds")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows = []
    with EmbeddedAws() as aws:
        for latency in options.latency:
            for jobs in options.jobs:
                with simulated_api(jobs, latency) as (base_url, key):
                    rows.append((jobs, latency, measure(aws, base_url, key, options.runs)))
                print(*markdown(rows[-1:])[2:], sep="\n", flush=True)
        with simulated_api(20, 0) as (base_url, key):
            cold = measure_cold(aws, base_url, key, options.runs * 3)
    text = [*markdown(rows), "", *cold_markdown(cold)]
    print("", *text, sep="\n")
    heading = f"{datetime.now(UTC):%Y-%m-%d}, median of {options.runs} runs"
    (HERE / "results.md").write_text("\n".join([heading, "", *text, ""]))
    draw(rows)


@contextmanager
def simulated_api(jobs: int, latency: float) -> Iterator[tuple[str, str]]:
    """The API in a process of its own: base URL and key."""
    command = [sys.executable, "-m", "tests.sandbox.api", "--jobs", str(jobs), "--latency", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url, key = process.stdout.readline().split()
            yield base_url, key
        finally:
            process.terminate()


def measure(aws: EmbeddedAws, base_url: str, key: str, runs: int) -> dict[str, Figures]:
    """Medians of each variant's figures; the variants take turns, so that a slow moment meets them all."""
    found: dict[str, list[Figures]] = {variant: [] for variant in VARIANTS}
    for _ in range(runs):
        environment = deployment(aws, base_url, key)
        for variant in VARIANTS:
            command = [*(PYTHON if variant in PEERS else LAMBDA), str(HERE / "measured.py"), variant, base_url, key]
            found[variant].append(json.loads(run(command, environment).splitlines()[-1]))
    return {
        variant: {name: statistics.median(figures[name] for figures in several) for name in several[0]}
        for variant, several in found.items()
    }


def measure_cold(aws: EmbeddedAws, base_url: str, key: str, runs: int) -> Figures:
    """Median CPU seconds of whole processes; the function's as it is deployed, the others' the same way."""
    found: dict[str, list[float]] = {"ours": [], "sdk": [], "floor": []}
    environment = deployment(aws, base_url, key)
    minimal = environment | {"PYTHONPATH": str(install_sdk())}
    for number in range(runs + 1):
        for variant, several in found.items():
            own = minimal if variant == "sdk" else environment
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run([*LAMBDA, str(HERE / "cold.py"), variant, base_url, key], own)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            if number:  # the first time is for the compiled files
                several.append(cpu)
    return {variant: statistics.median(several) for variant, several in found.items()}


def deployment(aws: EmbeddedAws, base_url: str, key: str) -> dict[str, str]:
    """The function's environment, with a bucket and a secret of its own."""
    name = f"bench-{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    aws.put_secret(f"{name}/default", key)
    return (
        {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        | aws.environment
        | {
            # The root comes last: from there only the handler's context is taken.
            "PYTHONPATH": os.pathsep.join([str(ROOT / ".aws-sam" / "build" / "SnapshotFunction"), str(ROOT)]),
            "PYTHONPYCACHEPREFIX": str(ROOT / ".venv" / "benchmark-pycache"),  # or they would be deployed
            "SNAPSHOT_BUCKET": name,
            "SECRET_PREFIX": f"{name}/",
            "OPENAI_BASE_URL": base_url,
            "MALLOC_MMAP_THRESHOLD_": "1048576",  # as in the template
            "POWERTOOLS_SERVICE_NAME": "bench",
            "POWERTOOLS_METRICS_NAMESPACE": "FineTuning",
        }
    )


def install_sdk() -> Path:
    """A folder with the SDK, boto3 and what they need, and nothing else."""
    folder = ROOT / ".venv" / "benchmark-sdk"
    pins = ["--constraint", str(ROOT / "tests" / "requirements.txt")]
    uv = [str(ROOT / ".venv" / "bin" / "uv"), "pip", "install", "--quiet", "--python", sys.executable]
    run([*uv, *pins, "--target", str(folder), "openai", "boto3"], dict(os.environ))
    return folder


def run(command: Sequence[str], environment: dict[str, str]) -> str:
    """What a command prints; an error if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}:\n{done.stderr}")
    return done.stdout


def markdown(rows: Sequence[tuple[int, float, dict[str, Figures]]]) -> list[str]:
    """Wall seconds of each variant and how many times faster than the SDK that is; CPU and memory beside it."""
    lines = [
        "| jobs | latency | variant | requests | seconds | × faster than the SDK | CPU seconds | peak MiB |",
        "|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for jobs, latency, figures in rows:
        for variant, own in figures.items():
            ratio = figures["sdk"]["wall"] / own["wall"]
            lines.append(
                f"| {jobs:,} | {latency * 1000:.0f} ms | {NAMES[variant]} | {own['requests']:,.0f} | {own['wall']:.2f} "
                f"| {ratio:.1f} | {own['cpu']:.2f} | {own['mib']:.0f} |"
            )
    return lines


def cold_markdown(cold: Figures) -> list[str]:
    """The cold runs, with the ratios to the SDK's and to the floor."""
    lines = ["| cold run, 20 jobs | CPU seconds | of the SDK's | of the floor |", "|---|--:|--:|--:|"]
    for variant, own in cold.items():
        of_sdk, of_floor = own / cold["sdk"], own / cold["floor"]
        lines.append(f"| {COLD_NAMES[variant]} | {own:.2f} | {of_sdk:.2f} | {of_floor:.2f} |")
    return lines


NAMES = {
    "first": "first listing, with table and uploads",
    "full": "full listing, with table and uploads",
    "incremental": "incremental, with table and uploads",
    "sdk": "official SDK, listing only",
    "dlt": "dlt, listing only",
    "floor": "standard library, listing only",
}
COLD_NAMES = {"ours": "this function", "sdk": "the same with SDK and boto3", "floor": "importing boto3, two clients"}


def draw(rows: Sequence[tuple[int, float, dict[str, Any]]]) -> None:
    """The seconds of a run over the number of jobs, at the longest latency."""
    from matplotlib import pyplot  # noqa: PLC0415

    latency = max(latency for _, latency, _ in rows)
    shown = [(jobs, figures) for jobs, its_latency, figures in rows if its_latency == latency]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for variant in ("sdk", "dlt", "floor", "full", "incremental"):
        heights = [figures[variant]["wall"] for _, figures in shown]
        axes.plot([jobs for jobs, _ in shown], heights, marker="o", label=NAMES[variant])
    axes.set(xscale="log", yscale="log", xlabel="jobs in the account", ylabel="seconds of one run")
    axes.set_title(f"Cost of a run, {latency * 1000:.0f} ms latency of the API")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(HERE / "cost.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
