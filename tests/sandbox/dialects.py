"""Differences between servers of the fine-tuning API: paths, paging, and the fields of jobs and models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

# Takes a job object of OpenAI and the Unix time of its last change; returns the server's job object.
WordJob = Callable[[dict[str, Any], int], dict[str, Any]]
# Takes a model's name, its base model (or itself), and its shutdown date (YYYY-MM-DD); returns the server's object.
WordModel = Callable[[str, str, str | None], dict[str, Any]]


def _openai_job(job: dict[str, Any], _changed_at: int) -> dict[str, Any]:
    return job


def _openai_model(model: str, _base: str, end: str | None) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 1715367049, "owned_by": "system", "shutdown_date": end}


@dataclass(frozen=True)
class Dialect:
    """One kind of server. Every request must have its `query` and `headers`, besides the key."""

    path: str = "/v1"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key_headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": "Bearer "})
    paging: str = "after"  # or "page", or "none" for one response with all jobs
    tells_has_more: bool = True
    tells_total: bool = False
    gives_single_jobs: bool = True
    gives_events: bool = True
    job: WordJob = _openai_job
    model: WordModel = _openai_model

    def secret(self, key: str, base_url: str) -> dict[str, Any]:
        """Return the content of a secret for a server of this kind."""
        headers = {**self.headers, **{name: key for name, prefix in self.key_headers.items() if not prefix}}
        wanted = {"default_headers": headers, "default_query": {**self.query}}
        paging = {} if self.paging == "after" else {"paging": self.paging}
        return (
            {"api_key": key, "base_url": base_url} | {name: value for name, value in wanted.items() if value} | paging
        )


# --- Azure ---

# The states are in its specification (FineTuningState, OperationState):
# https://github.com/Azure/azure-rest-api-specs/tree/main/specification/cognitiveservices/data-plane/AzureOpenAI
_AZURE_STATUSES = {"validating_files": "pending", "queued": "notRunning"}


def _azure_job(job: dict[str, Any], _changed_at: int) -> dict[str, Any]:
    """Return a job as in examples/get_finetuning_jobs.json: with nulls, and a model named after the job."""
    ended = job["status"] == "succeeded"
    return job | {
        "status": _AZURE_STATUSES.get(job["status"], job["status"]),
        "fine_tuned_model": f"{job['model']}.{job['id'].replace('ftjob-', 'ft-')}" if ended else None,
        "organization_id": None,
        "hyperparameters": {"n_epochs": -1} if ended else None,
        "method": None,
        "seed": None,
        "result_files": job.get("result_files") if ended else None,
        "suffix": job.get("user_provided_suffix"),
    }


def _azure_model(model: str, base: str, end: str | None) -> dict[str, Any]:
    """Return a model as in examples/get_models.json: a fine-tuned one has no date for the end of fine-tuning."""
    inference = {"inference": _unix(end)} if end else {}
    is_tuned = ".ft-" in model
    return {
        "status": "succeeded",
        "model": base if is_tuned else None,
        "fine_tune": model.partition(".")[2] if is_tuned else None,
        "capabilities": {"fine_tune": not is_tuned, "inference": True, "completion": True},
        "lifecycle_status": "generally-available",
        "deprecation": inference if is_tuned or not end else {"fine_tune": _unix(end) - 86_400 * 30} | inference,
        "id": model,
        "created_at": 1646126127,
        "object": "model",
    }


# --- Mistral ---

_MISTRAL_STATUSES = {"validating_files": "VALIDATING", "succeeded": "SUCCESS"}


def _mistral_job(job: dict[str, Any], changed_at: int) -> dict[str, Any]:
    """https://docs.rs/crate/mistral-openapi-client/latest/source/docs/CompletionJobOut.md."""
    return {
        "id": job["id"],
        "auto_start": True,
        "model": job["model"],
        "status": _MISTRAL_STATUSES.get(job["status"], job["status"].upper()),
        "created_at": job["created_at"],
        "modified_at": changed_at,
        "training_files": [job.get("training_file", "file-none")],
        "validation_files": [],
        "object": "job",
        "fine_tuned_model": job.get("fine_tuned_model"),
        "suffix": job.get("user_provided_suffix"),
        "integrations": [],
        "trained_tokens": job.get("trained_tokens"),
        "metadata": {"expected_duration_seconds": 220, "cost": 10.0, "cost_currency": "EUR"},
        "job_type": "completion",
        "hyperparameters": {"training_steps": 10, "learning_rate": 0.0001, "epochs": None},
        "repositories": [],
    }


def _mistral_model(model: str, base: str, end: str | None) -> dict[str, Any]:
    """https://docs.mistral.ai/api/endpoint/models: the card of a base model or of a fine-tuned one."""
    tuned = {"type": "fine-tuned", "job": "ftjob", "root": base, "archived": False}
    return {
        "id": model,
        "object": "model",
        "created": 1715367049,
        "owned_by": "mistralai",
        "capabilities": {"completion_chat": True, "fine_tuning": True},
        "aliases": [],
        "deprecation": end and f"{end}T12:00:00Z",
        **({"type": "base"} if model == base else tuned),
    }


def _unix(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time(12), UTC).timestamp())


OPENAI = Dialect()
AZURE = Dialect(
    path="/openai",
    query={"api-version": "2024-10-21"},
    key_headers={"api-key": ""},
    job=_azure_job,
    model=_azure_model,
)
# https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: like OpenAI's, without a version.
AZURE_V1 = replace(AZURE, path="/openai/v1", query={}, key_headers={"authorization": "Bearer "})
MISTRAL = Dialect(
    paging="page", tells_has_more=False, tells_total=True, gives_events=False, job=_mistral_job, model=_mistral_model
)
# LiteLLM refuses a request that does not name the provider, and has no events:
# https://github.com/BerriAI/litellm/blob/main/litellm/proxy/fine_tuning_endpoints/endpoints.py
GATEWAY = Dialect(
    query={"custom_llm_provider": "openai"},
    headers={"x-gateway-tenant": "acme"},
    tells_has_more=False,
    gives_single_jobs=False,
    gives_events=False,
)
