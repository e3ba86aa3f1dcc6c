"""The summary of a run, which the handler returns and logs. Times are ISO 8601 in UTC."""

from typing import TypedDict


class Summary(TypedDict):
    """The summary of a run that wrote a snapshot."""

    source: str
    snapshot_time: str
    job_count: int
    jobs_by_status: dict[str, int]  # statuses with jobs now or in the previous table; unknown ones as `other`
    changes: dict[str, int]  # the change metrics: name to count
    bucket: str
    key: str  # of the dated snapshot
    full_listing: bool  # whether every page was read
    api_requests: int  # including retries


class SkippedSummary(TypedDict):
    """The summary of a run that is older than the newest snapshot, and writes nothing."""

    skipped: bool  # always true
    source: str
    snapshot_time: str
    latest_snapshot_time: str
