"""What a run says of itself: the logger, and the one point where metrics are emitted."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from snapshot import __version__
from snapshot.measures import Measures
from snapshot.settings import Run

logger = Logger(version=__version__)

Metric = tuple[str, MetricUnit, float]


def emit(run: Run, measures: Measures, changes: dict[str, int]) -> None:
    """Write all metrics of a run that succeeded to standard output, as lines of CloudWatch's embedded metric format."""
    metrics: list[Metric] = [
        ("JobCount", MetricUnit.Count, measures.job_count),
        ("OldestActiveJobAge", MetricUnit.Seconds, measures.oldest_active_age),
    ]
    metrics += [(name, MetricUnit.Count, count) for name, count in changes.items()]
    if measures.days_to_shutdown is not None:
        metrics.append(("DaysToModelShutdown", MetricUnit.Count, measures.days_to_shutdown))
    _flush(run, {}, metrics)
    for status, count in measures.by_status.items():
        _flush(run, {"Status": status}, [("JobCount", MetricUnit.Count, count)])


def _flush(run: Run, dimensions: dict[str, str], metrics: list[Metric]) -> None:
    # A provider of its own each time: Powertools' shared one would keep what an earlier run in this process added.
    provider = AmazonCloudWatchEMFProvider()
    for name, value in {"Source": run.source, **dimensions}.items():
        provider.add_dimension(name, value)
    # Only metadata: the values are stamped with the time of emission, or alarms would miss those of a late run.
    provider.add_metadata("snapshot_time", run.timestamp)
    for metric in metrics:
        provider.add_metric(*metric)
    provider.flush_metrics()
