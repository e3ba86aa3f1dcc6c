"""Scheduled snapshots of the fine-tuning jobs behind an API key."""

__version__ = "1.1.0"
