"""What Lambda gives a handler beside the event."""

from types import SimpleNamespace

CONTEXT = SimpleNamespace(
    function_name="function",
    memory_limit_in_mb=256,
    invoked_function_arn="arn",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 900_000,
)
