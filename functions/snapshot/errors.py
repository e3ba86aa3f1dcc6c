"""The errors with which a run fails. A message says what to do, if anything can be done, and never a secret's value.

SnapshotError
├── SettingsError          the function's environment is incomplete or wrong
├── EventError             the invocation's event is not valid
├── SecretError            the source's secret is missing, unreadable or not valid
├── FieldError             a required field of a job is not valid
└── ApiError               the fine-tuning API refused the request, or its response cannot be used
    ├── ListChangedError   the list changed while it was read, and has to be read again
    └── OutOfTimeError     the invocation's time is not enough, for the API or for AWS

An error of AWS is a plain SnapshotError.
"""


class SnapshotError(Exception):
    """The run cannot succeed.

    The handler sets what only it knows: the `source`, for the command in a message, and the `consequence`.
    """

    source = "…"
    consequence = ""

    def __str__(self) -> str:
        message = super().__str__().replace("SOURCE=…", f"SOURCE={self.source}")
        if not self.consequence:
            return message
        return f"{message}{'' if message.endswith(('.', '?', '…')) else '.'} {self.consequence}"


class SettingsError(SnapshotError):
    """The function's environment is incomplete or wrong."""


class EventError(SnapshotError):
    """The invocation's event is not valid."""


class SecretError(SnapshotError):
    """The source's secret is missing, unreadable or not valid."""


class FieldError(SnapshotError):
    """A `field` of a job's payload (like `.created_at`; empty for all of it) is not valid; `problem` says why."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"job{field} {problem}.")
        self.field = field
        self.problem = problem


class ApiError(SnapshotError):
    """The API refused the request, or its response cannot be used. `status` is the HTTP status, None without one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ListChangedError(ApiError):
    """The list changed while it was read, and has to be read again."""


class OutOfTimeError(ApiError):
    """The invocation's time is not enough, for the API or for AWS; raised early enough to be logged."""
