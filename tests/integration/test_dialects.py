"""Other servers of the API, simulated: what their official clients read from them, and the table of a run."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from mistralai.client import Mistral
from mistralai.client.models import (
    BaseModelCard,
    CompletionFineTuningJob,
    CompletionFineTuningJobDetails,
    FTModelCard,
)
from openai import AzureOpenAI, OpenAI
from snapshot import credentials, table
from snapshot.api.client import Client
from snapshot.deadline import Deadline
from snapshot.fields import format_time
from snapshot.job import Job
from snapshot.listing import list_jobs
from snapshot.statuses import meaning

from tests.sandbox.api import SimulatedApi
from tests.sandbox.dialects import AZURE, AZURE_V1, GATEWAY, MISTRAL, OPENAI, Dialect
from tests.sandbox.simulated_jobs import BASE_MODELS

DIALECTS = {"OpenAI": OPENAI, "Azure": AZURE, "Azure v1": AZURE_V1, "Mistral": MISTRAL, "a gateway": GATEWAY}


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[SimulatedApi]:
    with SimulatedApi(dialect=request.param) as api:
        yield api


def speaking(*dialects: Dialect) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("api", dialects, indirect=True)


def listed(api: SimulatedApi) -> list[Job]:
    """List all jobs with a secret for this server, in full and incrementally."""
    with Client(credentials.parse("test", api.secret, ""), Deadline.after(60)) as client:
        lines = list_jobs(client, [], full=True).lines
        assert list_jobs(client, lines, full=False).lines == lines
    return [table.from_line(line) for line in lines]


# --- As the official clients see it ---


@speaking(AZURE)
def test_azure_s_client_lists_everything(api: SimulatedApi) -> None:
    version, endpoint = AZURE.query["api-version"], api.base_url.removesuffix("/openai")
    with AzureOpenAI(api_key=api.key, api_version=version, azure_endpoint=endpoint, max_retries=0) as client:
        jobs = list(client.fine_tuning.jobs.list(limit=100))
        assert [job.id for job in jobs] == [job.id for job in api.jobs]
        assert client.fine_tuning.jobs.retrieve(jobs[0].id).status == jobs[0].status
        assert len(list(client.fine_tuning.jobs.list_events(jobs[0].id))) >= 1
        models = {model.id for model in client.models.list()}
        assert {job.fine_tuned_model for job in jobs if job.fine_tuned_model} < models


@speaking(AZURE_V1)
def test_the_official_client_lists_everything_of_azure(api: SimulatedApi) -> None:
    with OpenAI(api_key=api.key, base_url=api.base_url, max_retries=0) as client:
        assert [job.id for job in client.fine_tuning.jobs.list(limit=100)] == [job.id for job in api.jobs]


@speaking(MISTRAL)
def test_mistral_s_client_lists_everything(api: SimulatedApi) -> None:
    with Mistral(api_key=api.key, server_url=api.base_url.removesuffix("/v1")) as client:
        pages = [client.fine_tuning.jobs.list(page=number, page_size=100) for number in range(4)]
        newest = client.fine_tuning.jobs.get(job_id=api.jobs[0].id)
        cards = client.models.list().data or []
    assert [len(page.data or []) for page in pages] == [100, 100, 50, 0]
    assert {page.total for page in pages} == {250}
    jobs = [job for page in pages for job in page.data or [] if isinstance(job, CompletionFineTuningJob)]
    assert [job.id for job in jobs] == [job.id for job in api.jobs]
    assert isinstance(newest, CompletionFineTuningJobDetails)
    assert newest.status == "RUNNING"
    bases = [card for card in cards if isinstance(card, BaseModelCard)]
    tuned = [card for card in cards if isinstance(card, FTModelCard)]
    assert len(bases) + len(tuned) == len(cards)  # the client knows the type of every card
    assert {job.fine_tuned_model for job in jobs if job.fine_tuned_model} == {card.id for card in tuned}
    assert any(isinstance(card.deprecation, datetime) for card in bases)


@speaking(GATEWAY)
def test_the_official_client_lists_everything_through_a_gateway(api: SimulatedApi) -> None:
    with OpenAI(
        api_key=api.key,
        base_url=api.base_url,
        default_query=dict(GATEWAY.query),
        default_headers=dict(GATEWAY.headers),
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        assert [job.id for job in client.fine_tuning.jobs.list(limit=100)] == [job.id for job in api.jobs]


# --- The table ---


@pytest.mark.parametrize("api", DIALECTS.values(), ids=DIALECTS, indirect=True)
def test_the_table_is_right_in_every_dialect(api: SimulatedApi) -> None:
    now = api.now
    rows = listed(api)
    assert [row.id for row in rows] == [job.id for job in api.jobs]
    assert [row.created_at for row in rows] == [format_time(job.created_at) for job in api.jobs]
    assert Counter(meaning(row.status) for row in rows) == Counter(
        meaning(api.dialect.job(job.payload(now), 0)["status"]) for job in api.jobs
    )
    assert {meaning(row.status) for row in rows} == {"running", "succeeded", "failed", "cancelled"}
    for row, job in zip(rows, api.jobs, strict=True):
        changed_at = format_time(int(job.reached(now)[-1][0]))
        has_time = row.status != "running" or api.dialect.gives_events
        assert row.updated_at == (changed_at if has_time else row.created_at)
        days = BASE_MODELS[row.model]
        ends = "" if days is None else str(datetime.fromtimestamp(now, UTC).date() + timedelta(days=days))
        assert row.shutdown_date == (ends if row.fine_tuned_model else "")
        assert bool(row.fine_tuned_model) == (job.status(now) == "succeeded")
        assert row.suffix == job.suffix
        assert row.training_file


@pytest.mark.parametrize(
    ("api", "statuses"),
    [
        (AZURE, {"created": "created", "pending": "pending", "notRunning": "pending", "running": "running"}),
        (
            MISTRAL,
            {
                "QUEUED": "queued",
                "STARTED": "running",
                "VALIDATING": "validating_files",
                "VALIDATED": "queued",
                "RUNNING": "running",
                "FAILED_VALIDATION": "failed",
                "FAILED": "failed",
                "SUCCESS": "succeeded",
                "CANCELLED": "cancelled",
                "CANCELLATION_REQUESTED": "cancelling",
            },
        ),
    ],
    indirect=["api"],
)
def test_statuses_of_other_servers_have_openai_s_meaning(api: SimulatedApi, statuses: dict[str, str]) -> None:
    simulated = api.jobs[0]
    api.jobs = [
        simulated.payload(api.now) | {"id": f"ftjob-{number}", "status": status, "created_at": 1_760_000_000 - number}
        for number, status in enumerate(statuses)
    ]
    assert [(row.status, meaning(row.status)) for row in listed(api)] == list(statuses.items())


@speaking(AZURE)
def test_azure_s_shutdown_date_is_read(api: SimulatedApi) -> None:
    end = date(2031, 1, 2)
    tuned = next(job for job in api.jobs if job.fine_tuned_model(api.now))
    name = AZURE.job(tuned.payload(api.now), 0)["fine_tuned_model"]
    api.announced = {name: str(end)}
    assert {row.shutdown_date for row in listed(api) if row.fine_tuned_model == name} == {str(end)}
