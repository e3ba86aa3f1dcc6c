"""The figures as Markdown and as a chart: results.md and cost.svg beside this file, and a block of tests/README.md."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.aws import ROOT

Figures = dict[str, float]
RESULTS = Path(__file__).parent / "results.md"
# The same block is in results.md and in tests/README.md.
BLOCK = re.compile(r"<!-- make bench writes this -->\n.*?<!-- until here -->\n", re.DOTALL)
VARIANTS = {
    "first": "first listing, with table and uploads",
    "full": "full listing with a previous table, with table and uploads",
    "incremental": "incremental, with table and uploads",
    "sdk": "official SDK, listing only",
    "dlt": "dlt, listing only",
    "floor": "standard library, listing only",
}
COLD_VARIANTS = {
    "compiled": "this function",
    "plain": "this function, without compiled files",
    "sdk": "the same work with the SDK and boto3",
    "floor": "only boto3 and two clients",
}
_CHART_LATENCY = 50
_CHARTED = ("sdk", "dlt", "floor", "full", "incremental")


class Row(NamedTuple):
    """The figures of all variants for one number of jobs and one latency of the API in milliseconds."""

    jobs: int
    latency: int
    figures: dict[str, Figures]


def write(rows: Sequence[Row], cold: Figures, how: str) -> None:
    """Replace results.md, the block of tests/README.md and the chart; `how` says when and how it was measured."""
    block = _summary(rows, cold, how)
    lines = ["# Benchmark", "", block, "## All rows", "", *row_table(rows), "", "## Cold runs", "", *cold_table(cold)]
    RESULTS.write_text("\n".join(lines) + "\n")
    readme = ROOT / "tests" / "README.md"
    readme.write_text(BLOCK.sub(lambda _: block, readme.read_text()))
    _draw(rows)


def row_table(rows: Sequence[Row]) -> list[str]:
    """Return the table of all variants: seconds, ratio to the SDK, CPU seconds and memory."""
    lines = [
        "| jobs | latency | variant | requests | seconds | × faster than the SDK | CPU seconds | peak MiB |",
        "|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for jobs, latency, figures in rows:
        for variant, own in figures.items():
            ratio = figures["sdk"]["wall"] / own["wall"]
            lines.append(
                f"| {jobs:,} | {latency} ms | {VARIANTS[variant]} | {own['requests']:,.0f} | {own['wall']:.2f} "
                f"| {ratio:.1f} | {own['cpu']:.2f} | {own['mib']:.0f} |"
            )
    return lines


def cold_table(cold: Figures) -> list[str]:
    """Return the table of the cold runs, with the ratios to the SDK and to the floor."""
    lines = ["| cold run, 20 jobs | CPU seconds | of the SDK's | of the floor |", "|---|--:|--:|--:|"]
    for variant, own in cold.items():
        of_sdk, of_floor = own / cold["sdk"], own / cold["floor"]
        lines.append(f"| {COLD_VARIANTS[variant]} | {own:.2f} | {of_sdk:.2f} | {of_floor:.2f} |")
    return lines


def _summary(rows: Sequence[Row], cold: Figures, how: str) -> str:
    lines = [
        "<!-- make bench writes this -->",
        "",
        "| jobs | latency of the API | a run | a full run | the first run | the SDK's listing alone | peak MiB |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for jobs, latency, figures in rows:
        if latency:
            ours = [figures[variant] for variant in ("incremental", "full", "first")]
            seconds = " | ".join(f"{figure['wall']:.2f} s" for figure in [*ours, figures["sdk"]])
            lines.append(f"| {jobs:,} | {latency} ms | {seconds} | {max(own['mib'] for own in ours):.0f} |")
    compiled, plain, sdk = (f"{cold[variant]:.2f} s" for variant in ("compiled", "plain", "sdk"))
    lines += [
        "",
        f"A cold run with 20 jobs takes {compiled} of CPU time, without compiled files {plain}. The same work with",
        f"the SDK and boto3, compiled, takes {sdk}. {how}",
        "",
        "<!-- until here -->",
        "",
    ]
    return "\n".join(lines)


def _draw(rows: Sequence[Row]) -> None:
    """Draw the seconds of a run over the number of jobs."""
    from matplotlib import pyplot  # noqa: PLC0415

    shown = [row for row in rows if row.latency == _CHART_LATENCY]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for variant in _CHARTED:
        heights = [row.figures[variant]["wall"] for row in shown]
        axes.plot([row.jobs for row in shown], heights, marker="o", label=VARIANTS[variant])
    axes.set(xscale="log", yscale="log", xlabel="jobs in the account", ylabel="seconds of one run")
    axes.set_title(f"Cost of a run, {_CHART_LATENCY} ms latency of the API")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(RESULTS.with_name("cost.svg"), metadata={"Date": None})
