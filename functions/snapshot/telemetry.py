"""The logger, and the only place that emits metrics."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from snapshot import __version__
from snapshot.counts import Counts
from snapshot.settings import Run

# Lambda treats a line whose time stamp is not in RFC 3339 as INFO, whatever its level:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
logger = Logger(version=__version__, use_rfc3339=True, utc=True)

Metric = tuple[str, MetricUnit, float]


def emit(run: Run, counts: Counts, changes: dict[str, int]) -> None:
    """Print all metrics of a successful run to standard output, in CloudWatch's embedded metric format."""
    metrics: list[Metric] = [
        ("JobCount", MetricUnit.Count, counts.job_count),
        ("OldestActiveJobAge", MetricUnit.Seconds, counts.oldest_active_age),
    ]
    metrics += [(name, MetricUnit.Count, count) for name, count in changes.items()]
    if counts.days_to_shutdown is not None:
        metrics.append(("DaysToModelShutdown", MetricUnit.Count, counts.days_to_shutdown))
    _flush(run, {}, metrics)
    for status, count in counts.by_status.items():
        _flush(run, {"Status": status}, [("JobCount", MetricUnit.Count, count)])


def _flush(run: Run, dimensions: dict[str, str], metrics: list[Metric]) -> None:
    # Powertools' usual Metrics class would keep metrics that an earlier run in this process added.
    ephemeral = EphemeralMetrics()
    for name, value in {"Source": run.source, **dimensions}.items():
        ephemeral.add_dimension(name, value)
    # Only metadata: the metrics get the time of emission, so that alarms do not miss those of a late run.
    ephemeral.add_metadata("snapshot_time", run.timestamp)
    for metric in metrics:
        ephemeral.add_metric(*metric)
    ephemeral.flush_metrics()
