"""Error responses: what they say, and advice on what to do. It follows the code and message, not only the status."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from snapshot.api.redaction import redacted

_MESSAGE_WITHIN = 1 << 16  # bytes of a body that are searched for a message
_TITLE_WITHIN = 1 << 12  # bytes of a body that are searched for a title
_HTML = re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_TITLE = re.compile(rb"<title(?:\s[^>]*)?>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_MESSAGE = re.compile(rb'"message"\s*:\s*"')

# Retries do not help: https://developers.openai.com/api/docs/guides/error-codes
# The message does not count: Gemini says «You exceeded your current quota» for a rate limit, too.
_BILLING_CODES = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
}
_RATE_CODES = {"rate_limit_exceeded", "slow_down"}  # the type may be insufficient_quota even so
_BILLING = " Retries do not help: check the account's billing, credits and spending limits."
_KEY = " Put a valid key into the source's secret with `make secret SOURCE=…`."
_BASE_URL = " Is the base_url right? It must end before /fine_tuning, like https://api.openai.com/v1."
_JOBS_PERMISSION = "for the list of jobs: api.fine_tuning.jobs.read"

# The first pattern that is found in code, type and message decides.
_RULES = [
    (re.compile(pattern), advice)
    for pattern, advice in {
        r"(invalid|incorrect)[ _]api[ _]key": _KEY,
        r"unsupported_country|(country|region|territory|location) (is )?not supported": (
            " The API does not serve the region of this request, whatever the key's permissions. Deploy the stack in "
            "another AWS region, or put the address of a gateway into the secret's base_url."
        ),
        # https://github.com/openai/codex/issues/1000
        r"(mismatch\w{0,20}|invalid|incorrect|wrong|unknown|no such)[ _](organization|project)\b"
        r"|(organization|project)[ _](mismatch|not[ _]found|invalid|does not)|openai-(organization|project)": (
            " The key belongs to another organization or project: correct or remove `organization` and `project` in "
            "the source's secret with `make secret SOURCE=…`."
        ),
        r"\bip([ _]address)?( is)?[ _]not[ _](authorized|allowed)|\bip[ -]?allow-?list": (
            " The API does not accept requests from this IP address: allow it in the API's settings. Another key does "
            "not help."
        ),
        # https://github.com/anomalyco/opencode/issues/21928
        r"(\b|_)scopes?\b|permission": f" Give the key the permission that the message names ({_JOBS_PERMISSION}).",
    }.items()
]


class ErrorBody(NamedTuple):
    """The body of an error: `text` for our own message, without secrets; `subject` for the rules."""

    text: str
    subject: str
    concerns_billing: bool


def read(content: bytearray, secrets: Sequence[str]) -> ErrorBody:
    """Read code and message from the body of an error, or the title if it is an HTML page."""
    text: str | bytearray
    code = kind = ""
    try:
        error = json.loads(content)["error"]
        fields: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        code, kind = (str(fields.get(name) or "")[:100].lower() for name in ("code", "type"))
        text = ": ".join(str(fields[name]) for name in ("code", "message") if fields.get(name))
    except (ValueError, RecursionError, LookupError, TypeError):
        text = _title(content) or _message(content)
    concerns_billing = code in _BILLING_CODES or (kind in _BILLING_CODES and code not in _RATE_CODES)
    text = redacted(text, secrets)
    return ErrorBody(text or "no message.", f"{code} {kind} {text}".lower(), concerns_billing)


def append_to(reason: str, status: int, error: ErrorBody, url: str) -> str:
    """Append advice to the reason of an error, if there is any."""
    advice = _advice(status, error, url)
    return f"{reason.removesuffix('.')}.{advice}" if advice else reason


def _advice(status: int, error: ErrorBody, url: str) -> str:
    if error.concerns_billing or status == 402:
        return _BILLING
    for pattern, text in _RULES:
        if pattern.search(error.subject):
            return text
    if status == 401:
        return _KEY
    if status == 403:
        return f" Check the key's permissions ({_JOBS_PERMISSION}) and any gateway or firewall in between."
    return _not_found(url) if status == 404 else ""


def _not_found(url: str) -> str:
    """Return advice for a 404. Only the first page points to a wrong base_url: a single job may have been removed."""
    query = parse_qs(urlsplit(url).query)
    if "after" in query:
        return " The API no longer knows the job after which this page begins."
    is_list = urlsplit(url).path.endswith("/fine_tuning/jobs")
    return _BASE_URL if is_list and query.get("page", ["0"]) == ["0"] else ""


def _title(content: bytearray) -> str:
    start = _COMMENT.sub(b"", content[:_TITLE_WITHIN])
    if start.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] != b"<" or not _HTML.search(start, 0, 1 << 10):
        return ""
    found = _TITLE.search(start)
    return " ".join(html.unescape(found[1].decode("utf-8", "replace")).split()) if found else ""


def _message(content: bytearray) -> bytearray:
    """Return what to show of a body that cannot be parsed: truncated JSON from its message on, else all of it."""
    found = _MESSAGE.search(content, 0, _MESSAGE_WITHIN) if content.lstrip()[:1] == b"{" else None
    return content[found.end() :] if found else content
