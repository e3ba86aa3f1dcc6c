"""Fixtures for one test: a deployment, its event bus, faults of AWS, and a client of the API."""

import logging
import uuid
from collections.abc import Iterator

import pytest
from snapshot.api.client import Client
from snapshot.aws import events_client, s3_client, secrets_client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.telemetry import logger

from tests.integration.deployment import Deployment
from tests.sandbox import queues
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.aws_faults import FlakyAws
from tests.sandbox.queues import Queue


@pytest.fixture
def deployment(
    aws: EmbeddedAws, api: SimulatedApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Deployment]:
    prefix = f"test-{uuid.uuid4().hex}/"
    environment = aws.environment | {
        "SNAPSHOT_BUCKET": prefix.strip("/"),
        "SECRET_PREFIX": prefix,
        "OPENAI_BASE_URL": api.base_url,
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "FineTuning",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    deployment = Deployment(aws, api, prefix, capsys)
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(deployment.log)
    logger.setLevel(logging.DEBUG)  # the key must not appear there either
    yield deployment
    handler.setStream(before)


@pytest.fixture
def bus(aws: EmbeddedAws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """The events on a new event bus, to which the deployment sends."""
    name = f"bus-{uuid.uuid4().hex}"
    aws.client("events").create_event_bus(Name=name)
    monkeypatch.setenv("EVENT_BUS_NAME", name)
    deployment.put_simulated_secret()
    return queues.of_bus(aws, name)


@pytest.fixture
def flaky(
    aws: EmbeddedAws,
    deployment: Deployment,  # noqa: ARG001 - its environment comes first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FlakyAws]:
    """A proxy between the deployment and AWS that makes chosen calls fail."""
    clients = (s3_client, events_client, secrets_client)
    with FlakyAws(aws) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        for client in clients:
            client.cache_clear()  # they keep their endpoint
        yield server
        for client in clients:
            client.cache_clear()


@pytest.fixture
def client(api: SimulatedApi) -> Iterator[Client]:
    with Client(Credentials(api.key, api.base_url), Deadline.after(60)) as client:
        yield client
