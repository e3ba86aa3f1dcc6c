"""Why a run fails. A message says what to do, where something can be done; none holds a secret's value."""


class SnapshotError(Exception):
    """A run that cannot succeed as it stands; the base of all errors below."""


class SettingsError(SnapshotError):
    """The function's environment is incomplete or wrong."""


class EventError(SnapshotError):
    """The invocation's event is not one that the function takes."""


class SecretError(SnapshotError):
    """The source's secret is missing, not readable, or holds the wrong thing."""


class FieldError(SnapshotError):
    """A field of one job is not what the API's specification says; the caller adds where the job stands."""


class ApiError(SnapshotError):
    """The fine-tuning API refused, or answered what cannot be used. `status` is the HTTP status, None without one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class OutOfTimeError(ApiError):
    """The invocation's time would not suffice, for the API or for AWS; raised early enough to be told by the run."""
