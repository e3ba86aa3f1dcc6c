"""The simulated API, as the official client sees it."""

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from tests.sandbox.api import SimulatedApi


@pytest.fixture
def client(api: SimulatedApi) -> Iterator[OpenAI]:
    with OpenAI(api_key=api.key, base_url=api.base_url, max_retries=0, _strict_response_validation=True) as client:
        yield client


def test_the_official_client_lists_everything(api: SimulatedApi, client: OpenAI) -> None:
    jobs = list(client.fine_tuning.jobs.list(limit=100))
    assert [job.id for job in jobs] == [job.id for job in api.jobs]
    assert [job.created_at for job in jobs] == sorted((job.created_at for job in jobs), reverse=True)
    assert {job.status for job in jobs} >= {"running", "succeeded", "failed", "cancelled"}
    for job in jobs[:5]:
        assert client.fine_tuning.jobs.retrieve(job.id).status == job.status
        events = list(client.fine_tuning.jobs.list_events(job.id, limit=2))
        assert len(events) >= 3
        assert [event.created_at for event in events] == sorted((event.created_at for event in events), reverse=True)
    models = {model.id for model in client.models.list()}
    assert {job.fine_tuned_model for job in jobs if job.fine_tuned_model} < models


def test_pages_are_capped(api: SimulatedApi, client: OpenAI) -> None:
    api.largest_page = 20
    page = client.fine_tuning.jobs.list(limit=100)
    assert (len(page.data), page.has_more) == (20, True)
    assert len(list(page)) == len(api.jobs)


def test_simulated_api_refuses_what_the_api_refuses(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match=r"sk-wrong\*+0key"):
        client.with_options(api_key="sk-wrong-key-0key").fine_tuning.jobs.list()
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.retrieve("ftjob-none")
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.list(after="ftjob-none")


def test_jobs_progress_with_time(api: SimulatedApi, client: OpenAI) -> None:
    newest = api.jobs[0].id
    assert client.fine_tuning.jobs.retrieve(newest).status == "running"
    api.skipped = 24 * 3600
    ended = client.fine_tuning.jobs.retrieve(newest)
    assert ended.status in {"succeeded", "failed", "cancelled"}
    assert ended.finished_at is not None
    assert len(list(client.fine_tuning.jobs.list_events(newest))) == 4
