"""Secrets of any form appear only in requests: in no log (also at DEBUG), object, event or metric, whatever fails."""

import base64
import html
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from aiohttp import web
from snapshot.errors import SnapshotError

from tests.integration.deployment import Deployment
from tests.samples import at, payload
from tests.sandbox import api_faults
from tests.sandbox.api import Fault
from tests.sandbox.queues import Queue

KEYS = {
    "plain": "sk-proj-AbC_123-dEf456GhI789",
    "of another server": "0123456789abcdef0123456789abcdef",
    "with punctuation": r"""q"w'e\r{t}%y$(u)&i<o>*p~#@!z,x;c:v/b?n=m|""",
    "with characters that are escaped": 'abcd/EFGH+ijkl&mn"op=qrst<uvwx>0123',
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
}


def forms(secret: str) -> list[str]:
    """Return the forms in which servers echo a secret."""
    plain = [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        base64.b64encode(secret.encode()).decode(),
    ]
    escaped = [json.dumps(secret)[1:-1], repr(secret)[1:-1], json.dumps(json.dumps(secret))[1:-1]]
    return [*plain, *escaped, secret.upper(), f"{secret[:16]}...{secret[-4:]}"]


async def echo(request: web.Request) -> web.StreamResponse:
    """Echo all headers in an error message, as some gateways do."""
    return await api_faults.status(400, f"Cannot forward: {dict(request.headers)}")(request)


async def echo_as_text(request: web.Request) -> web.StreamResponse:
    content = f"{'x' * 50} {request.headers['Authorization']}"
    return await api_faults.body(content, 403, "text/plain")(request)


async def echo_encoded(request: web.Request) -> web.StreamResponse:
    """Echo the key encoded, escaped, shortened, and as the request id."""
    key = request.headers["Authorization"].removeprefix("Bearer ")
    response = await api_faults.status(400, " ".join(forms(key)))(request)
    response.headers["x-request-id"] = request.headers["Authorization"]
    return response


async def echo_everything(request: web.Request) -> web.StreamResponse:
    """Echo all headers and the query, as they are and encoded."""
    values = [*request.headers.values(), *request.query.values()]
    echoed = [form for value in values for form in forms(value)]
    return await api_faults.status(400, f"{request.path_qs} {' '.join(echoed)}")(request)


def echoes_in_jobs(deployment: Deployment) -> None:
    key = deployment.api.key
    failed = payload(3, status="failed", error={"code": "c", "message": f"Incorrect API key: {key}"})
    deployment.api.jobs = [payload(1, metadata={"a": key})]
    deployment.run(time=at(minutes=1))
    deployment.api.jobs = [failed, payload(2, id=f"ftjob-{key}"), *deployment.api.jobs]
    assert deployment.run()["job_count"] == 3


def goes_well(deployment: Deployment) -> None:
    deployment.api.jobs = [payload(number) for number in range(3, 0, -1)]
    deployment.run()
    deployment.api.jobs = [payload(9, status="failed"), *deployment.api.jobs]
    assert deployment.run()["changes"]["JobsFailed"] == 1


def fails(answer: Callable[..., Any]) -> Callable[[Deployment], None]:
    def run(deployment: Deployment) -> None:
        deployment.api.faults = [Fault("/fine_tuning/jobs", answer, times=99)]
        with pytest.raises(SnapshotError):
            deployment.run(seconds=61)

    return run


def is_refused(deployment: Deployment) -> None:
    """The response contains the masked key, as OpenAI's does."""
    deployment.api.key = "sk-the-right-one-now"
    with pytest.raises(SnapshotError, match="invalid_api_key"):
        deployment.run()


def has_no_permission_for_models(deployment: Deployment) -> None:
    deployment.api.faults = [Fault("/models", echo_as_text), Fault("/events", echo, times=9)]
    deployment.run()


SITUATIONS = {
    "goes well": goes_well,
    "is refused": is_refused,
    "headers in an error": fails(echo),
    "headers in a text": fails(echo_as_text),
    "headers encoded": fails(echo_encoded),
    "values in jobs": echoes_in_jobs,
    "connection cut": fails(api_faults.reset),
    "in warnings": has_no_permission_for_models,
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("kind", KEYS)
def test_key_appears_in_no_log_or_object(
    kind: str,
    situation: str,
    deployment: Deployment,
    bus: Queue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)  # of every library, as with Lambda's own log level at DEBUG
    key = deployment.api.key = KEYS[kind]
    deployment.put_secret(json.dumps({"api_key": f"\n{key} ", "base_url": deployment.api.base_url}))
    SITUATIONS[situation](deployment)
    assert deployment.api.requests
    traces = "".join(
        "".join(traceback.format_exception(*record.exc_info)) for record in caplog.records if record.exc_info
    )
    kept = repr(deployment.objects()) + repr(bus.receive()) + deployment.output + deployment.log.getvalue()
    for text in (kept, caplog.text, traces):
        for form in (*forms(key), key[:8]):
            assert form not in text


# --- A gateway's own headers and query ---

HEADER, QUERY, TOKEN = "hdr/0123 4567", 'qry=+&"<ä>89', "tkn-0123456789"


def echoes_a_gateway_in_jobs(deployment: Deployment) -> None:
    metadata = {"a": HEADER, "b": QUERY, "c": TOKEN}
    deployment.api.jobs = [payload(1, status="failed", error={"code": "c", "message": QUERY}, metadata=metadata)]
    assert deployment.run()["job_count"] == 1
    assert deployment.rows()[0]["metadata"] == '{"a":"[redacted]","b":"[redacted]","c":"[redacted]"}'


def cannot_connect(deployment: Deployment) -> None:
    deployment.put_secret(json.dumps(gateway_secret(deployment) | {"base_url": "http://127.0.0.1:9/v1"}))
    with pytest.raises(SnapshotError, match="refused"):
        deployment.run(seconds=65)


def gets_malformed_headers(deployment: Deployment) -> None:
    """urllib3 warns of them, and shows the URL."""
    deployment.api.faults = [Fault("/fine_tuning/jobs", api_faults.malformed_headers)]
    deployment.run()


def gateway_secret(deployment: Deployment) -> dict[str, Any]:
    return {
        "api_key": deployment.api.key,
        "base_url": deployment.api.base_url,
        "default_headers": {"api-key": HEADER, "X-Upstream": f"Bearer {TOKEN}"},
        "default_query": {"subscription-key": QUERY},
    }


GATEWAY_SITUATIONS: dict[str, Callable[[Deployment], None]] = {
    "goes well": goes_well,
    "all is echoed": fails(echo_everything),
    "headers encoded": fails(echo_encoded),
    "values in jobs": echoes_a_gateway_in_jobs,
    "connection refused": cannot_connect,
    "connection cut": fails(api_faults.reset),
    "malformed headers": gets_malformed_headers,
}


@pytest.mark.parametrize("situation", GATEWAY_SITUATIONS)
def test_a_gateway_s_headers_and_query_appear_in_no_log_or_object(
    situation: str, deployment: Deployment, bus: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    deployment.put_secret(json.dumps(gateway_secret(deployment)))
    GATEWAY_SITUATIONS[situation](deployment)
    traces = "".join(
        "".join(traceback.format_exception(*record.exc_info)) for record in caplog.records if record.exc_info
    )
    kept = repr(deployment.objects()) + repr(bus.receive()) + deployment.output + deployment.log.getvalue()
    for text in (kept, caplog.text, traces):
        for value in (HEADER, QUERY, TOKEN):
            for form in forms(value):
                assert form not in text
            assert value[:8] not in text
