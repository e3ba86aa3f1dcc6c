"""Why a run fails. A message says what to do, where something can be done; none holds a secret's value.

SnapshotError
├── SettingsError          the function's environment is incomplete or wrong
├── EventError             the invocation's event is not one that the function takes
├── SecretError            the source's secret is missing, not readable, or holds the wrong thing
├── FieldError             a field of one job is not what the API's specification says
└── ApiError               the fine-tuning API refused, or its response cannot be used
    ├── ListChangedError   the list changed while it was read, so that it has to be read again
    └── OutOfTimeError     the invocation's time would not suffice, for the API or for AWS

What AWS refuses is a SnapshotError itself.
"""


class SnapshotError(Exception):
    """A run that cannot succeed as it stands.

    The handler sets what it alone knows: the `source`, for the command that a message names, and the `consequence`.
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
    """The invocation's event is not one that the function takes."""


class SecretError(SnapshotError):
    """The source's secret is missing, not readable, or holds the wrong thing."""


class FieldError(SnapshotError):
    """The `field` (`.created_at`; empty for the whole) of a job's payload cannot be taken; `problem` says why."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"job{field} {problem}.")
        self.field = field
        self.problem = problem


class ApiError(SnapshotError):
    """The fine-tuning API refused, or its response cannot be used. `status` is the HTTP status, None without one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ListChangedError(ApiError):
    """The list changed while it was read, so that it has to be read again."""


class OutOfTimeError(ApiError):
    """The invocation's time would not suffice, for the API or for AWS; raised early enough to be logged."""
