"""The meaning of a job's status, because servers have different words for the same status."""

from functools import lru_cache

TERMINAL = ("succeeded", "failed", "cancelled")
ACTIVE = ("validating_files", "queued", "running", "pausing", "cancelling", "created", "pending")
KNOWN_STATUSES = (*ACTIVE, "paused", *TERMINAL)

# From the specifications and SDKs of Azure, Mistral, Nebius, Bedrock and gateways.
_SYNONYMS = {
    "succeeded": ("success", "completed"),
    "failed": ("failed_validation",),
    "cancelled": ("canceled",),
    "cancelling": ("canceling", "cancellation_requested"),
    "validating_files": ("validating",),
    "queued": ("validated",),
    "running": ("started", "in_progress", "resuming"),
    "pending": ("notrunning", "not_running"),
    "created": ("create", "creating"),
}
_MEANINGS = {synonym: status for status, synonyms in _SYNONYMS.items() for synonym in synonyms}


@lru_cache(1024)
def meaning(status: str) -> str:
    """Return the one of KNOWN_STATUSES that a status means; an unknown status itself, in lower case with `_`."""
    normal = status.lower().replace("-", "_").replace(" ", "_")
    return _MEANINGS.get(normal, normal)
