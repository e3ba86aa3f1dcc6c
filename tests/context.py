"""Lambda's context object, for tests and the benchmark, which call the handler directly."""

import time

from aws_lambda_powertools.utilities.typing import LambdaContext


class Context(LambdaContext):
    """The context of a run with this many seconds left."""

    _function_name = "function"
    _memory_limit_in_mb = 256
    _invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    _aws_request_id = "request"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # which Powertools declares static
        return max(0, int((self._end - time.monotonic()) * 1000))
