"""What a job's status means: servers of the same API have other words for the same things."""

from functools import lru_cache

TERMINAL = ("succeeded", "failed", "cancelled")
ACTIVE = ("validating_files", "queued", "running", "pausing", "cancelling", "created", "pending")
KNOWN_STATUSES = (*ACTIVE, "paused", *TERMINAL)

# Met in specifications and SDKs of Azure, Mistral, Nebius, Bedrock and gateways.
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
    """One of KNOWN_STATUSES, if the status is known under whatever name; else itself, in lower case with `_`."""
    normal = status.lower().replace("-", "_").replace(" ", "_")
    return _MEANINGS.get(normal, normal)
