"""The message and the advice in error responses, for every form of their bodies."""

import pytest
from snapshot.api.advice import append_to, read

JOBS = "https://example.com/v1/fine_tuning/jobs"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b" \r\n\t<html><title>T</title>", "T"),
        (b"<!-- made by x --><html lang='en'><title>T</title>", "T"),
        (b"<html><title>\xff &amp;\n T</title>", "\ufffd & T"),
        (b"<x>" + b" " * 1000 + b"<html><title>T</title>", "T"),
        (b"<x>" + b" " * 1100 + b"<html><title>T</title>", "<x> <html><title>T</title>"),  # not a page
        (b"<html><b>x", "<html><b>x"),
        (b'{"error": {"message": "cut o', "cut o"),
        (b' \n{"error": {"message" : "cut o', "cut o"),
        (b'it says "message": "x', 'it says "message": "x'),
        (b'{"x": "' + b" " * (1 << 16) + b'", "message": "far', '{"x": "'),
        (b'{"error": "plain"}', "plain"),
        (b'{"error": {"code": "c", "message": "m"}}', "c: m"),
        (b'{"error": {"code": null, "message": "m"}}', "m"),
        (b'{"error": {"code": "c"}}', "c"),
        (b'{"error": {}}', "no message."),
        (b'["error"]', '["error"]'),
        (b"", "no message."),
    ],
)
def test_message_has_code_and_text_or_the_title(content: bytes, text: str) -> None:
    assert read(bytearray(content), []).text == text


@pytest.mark.parametrize(
    ("error", "concerns_billing"),
    [
        ('{"code": "insufficient_quota"}', True),
        ('{"code": "INSUFFICIENT_QUOTA"}', True),
        ('{"type": "billing_not_active", "code": "other"}', True),
        ('{"type": "insufficient_quota", "code": "slow_down"}', False),
        ('{"message": "insufficient_quota"}', False),
        ('{"code": ["insufficient_quota"]}', False),
    ],
)
def test_billing_error_is_recognized_by_code_or_type(error: str, concerns_billing: bool) -> None:
    assert read(bytearray(f'{{"error": {error}}}'.encode()), []).concerns_billing == concerns_billing


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("", "base_url right"),
        ("?limit=100", "base_url right"),
        ("?page=0&page_size=100", "base_url right"),
        ("?page=1&page_size=100", "r."),
        ("?limit=100&after=a", "no longer knows the job"),
    ],
)
def test_only_the_first_page_points_to_the_base_url(query: str, end: str) -> None:
    reason = append_to("r.", 404, read(bytearray(b""), []), JOBS + query)
    assert end in reason
    assert ("base_url" in reason) == ("base_url" in end)
    assert append_to("r.", 404, read(bytearray(b""), []), f"{JOBS}/a{query if 'after' not in query else ''}") == "r."


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"No", "Put a valid key"),
        (402, b"No", "check the account's billing"),
        (429, b'{"error": {"code": "insufficient_quota"}}', "check the account's billing"),
        (403, b"No", "Check the key's permissions"),
        (400, b"No", ""),
    ],
)
def test_status_decides_without_code_and_message(status: int, body: bytes, advice: str) -> None:
    advised = append_to("r", status, read(bytearray(body), []), JOBS)
    assert advice in advised
    assert (advised == "r") == (not advice)


def test_advice_follows_a_reason_as_a_sentence() -> None:
    for reason in ("status 403: No", "status 403: No."):
        advised = append_to(reason, 403, read(bytearray(b"No."), []), JOBS)
        assert advised.startswith("status 403: No. Check the key's permissions")
    assert append_to("status 400: No", 400, read(bytearray(b"No"), []), JOBS) == "status 400: No"
