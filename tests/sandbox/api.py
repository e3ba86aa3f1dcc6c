"""A server of the fine-tuning API on loopback: simulated jobs, faults on demand, settable latency.

`python -m tests.sandbox.api --help` runs it by itself.
"""

import argparse
import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.sandbox import simulated_jobs
from tests.sandbox.dialects import OPENAI, Dialect
from tests.sandbox.paging import Paging
from tests.sandbox.simulated_jobs import SimulatedJob, StaticJob

_PATIENCE_SECONDS = 3


@dataclass
class Fault:
    """Answers the next `times` requests whose path ends in `path`, after `skip` that succeed.

    With a `query`, only requests whose query contains it.
    """

    path: str
    handler: Handler
    times: int = 1
    skip: int = 0
    query: str = ""

    def takes(self, request: web.Request) -> bool:
        """Return whether this request gets the fault, and count it."""
        if self.times == 0 or not request.path.endswith(self.path) or self.query not in request.query_string:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class SimulatedApi(Paging):
    """The API at `base_url`, inside `with`. Its attributes may be set while it serves."""

    def __init__(
        self,
        jobs: list[Any] | None = None,
        *,
        key: str = "sk-simulated-0123456789abcdef",
        port: int = 0,
        dialect: Dialect = OPENAI,
    ) -> None:
        super().__init__(dialect.paging, tells_has_more=dialect.tells_has_more, tells_total=dialect.tells_total)
        self.dialect = dialect
        self.key = key
        self.skipped = 0.0  # seconds by which the simulation is ahead of the clock
        self.latency = 0.0  # seconds before each response
        self.waits_for = 0  # requests that must arrive before the first response; fewer are refused after some seconds
        self.most_at_once = 0  # requests that were open at the same time
        # Shutdown dates of models (YYYY-MM-DD), besides those of simulated_jobs.BASE_MODELS.
        self.announced: dict[str, str | None] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []  # paths with their queries, in order
        self.before_page: Callable[[], None] = lambda: None  # called before each page of jobs, and may change the jobs
        self._started = time.time()
        self._port = port
        self._open = 0
        self._request_ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.jobs = simulated_jobs.new_jobs(250, self._started) if jobs is None else jobs

    @property
    def jobs(self) -> list[Any]:
        """The jobs, newest first. To change the list, assign a new one; job objects in it become StaticJobs.

        The type is Any because only a test knows which of the two kinds it has assigned.
        """
        return self._jobs

    @jobs.setter
    def jobs(self, jobs: list[Any]) -> None:
        served: list[SimulatedJob | StaticJob] = [StaticJob(job) if isinstance(job, dict) else job for job in jobs]
        self._positions = {job.id: position for position, job in enumerate(served)}
        self._jobs = served

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self.dialect.path}"

    @property
    def secret(self) -> str:
        """The value of a secret for this server."""
        return json.dumps(self.dialect.secret(self.key, self.base_url))

    @property
    def now(self) -> float:
        """The Unix time of the simulation."""
        return time.time() + self.skipped

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job object as the API returns it now."""
        return self._jobs[self._positions[job_id]].payload(self.now)

    def __enter__(self) -> Self:
        self._thread.start()
        self._on_loop(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._on_loop(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._serve])
        app.router.add_get("/requests", self._count_requests)
        jobs = f"{self.dialect.path}/fine_tuning/jobs"
        app.router.add_get(jobs, self._list_jobs)
        app.router.add_get(f"{jobs}/{{id}}", self._retrieve_job)
        if self.dialect.gives_events:
            app.router.add_get(f"{jobs}/{{id}}/events", self._list_events)
        app.router.add_get(f"{self.dialect.path}/models", self._list_models)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/requests":
            return await handler(request)
        self.requests.append(request.path_qs)
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            return await self._response(request, handler)
        finally:
            self._open -= 1

    async def _response(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.latency:
            await asyncio.sleep(self.latency)
        if not await self.have_arrived(self.waits_for):
            return error(400, f"Only {len(self.requests)} requests arrived before the first response.")
        fault = next((fault for fault in self.faults if fault.takes(request)), None)
        if fault:
            response = await fault.handler(request)
        else:
            response = self._refusal(request) or await handler(request)
        if not response.prepared:
            response.headers.setdefault("x-request-id", f"req_{next(self._request_ids):08}")
        return response

    async def have_arrived(self, count: int) -> bool:
        """Wait some seconds for `count` requests; return whether they have arrived."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while len(self.requests) < count and time.monotonic() < end:
            await asyncio.sleep(0.002)
        return len(self.requests) >= count

    async def _count_requests(self, _request: web.Request) -> web.Response:
        """Return the number of requests so far, for a client in another process. This is not part of the API."""
        return web.json_response(len(self.requests))

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the error for a request that the server refuses, else None."""
        keys = {request.headers.get(name) for name in self.dialect.key_headers}
        if not keys & {f"{prefix}{self.key}" for prefix in self.dialect.key_headers.values()}:
            return _unauthorized(next(iter(keys)) or "")
        if self.dialect.query.items() - request.query.items():
            return error(400, f"The query must have {' and '.join(self.dialect.query)}.")
        if self.dialect.headers.items() - {name.lower(): text for name, text in request.headers.items()}.items():
            return error(400, f"The headers must have {' and '.join(self.dialect.headers)}.")
        return None

    async def _list_jobs(self, request: web.Request) -> web.Response:
        self.before_page()
        window = self.window(request.query, self._positions)
        if window is None:
            return error(404, "No such fine-tuning job: the cursor `after`.", "invalid_request_error")
        now = self.now
        entries = [job.encoded(now, self.dialect.job) for job in self._jobs[window]]
        return _json(self.body(entries, window, len(self._jobs)))

    async def _retrieve_job(self, request: web.Request) -> web.Response:
        if not self.dialect.gives_single_jobs:
            return web.json_response({"detail": [{"type": "missing", "loc": ["query"]}]}, status=422)
        position = self._positions.get(request.match_info["id"])
        if position is None:
            return error(404, f"Could not find fine tune: {request.match_info['id']}", "fine_tune_not_found")
        return _json(self._jobs[position].encoded(self.now, self.dialect.job))

    async def _list_events(self, request: web.Request) -> web.Response:
        position = self._positions.get(request.match_info["id"])
        if position is None:
            return error(404, f"Could not find fine tune: {request.match_info['id']}", "fine_tune_not_found")
        events = self._jobs[position].events(self.now)
        paging = Paging(tells_has_more=self.tells_has_more)
        window = paging.window(request.query, {event["id"]: number for number, event in enumerate(events)})
        if window is None:
            return error(404, "No such event: the cursor `after`.", "invalid_request_error")
        return _json(paging.body([json.dumps(event).encode() for event in events[window]], window, len(events)))

    async def _list_models(self, _request: web.Request) -> web.Response:
        return _json(self.models())

    def models(self) -> bytes:
        """Return the list of models as JSON."""
        now = self.now
        jobs = (self.dialect.job(job.payload(now), 0) for job in self._jobs if job.fine_tuned_model(now))
        tuned = {job["fine_tuned_model"]: job["model"] for job in jobs}
        today = datetime.fromtimestamp(self._started, UTC).date()
        return simulated_jobs.models(tuned, today, self.announced, self.dialect.model)


def error(status: int, message: str, code: str | None = None) -> web.Response:
    """Return an error response in the API's form."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return web.json_response(body, status=status)


def _unauthorized(header: str) -> web.Response:
    key = header.removeprefix("Bearer ")
    masked = key[:8] + "*" * max(4, len(key) - 12) + key[-4:]  # the real API echoes the key like this
    return error(
        401, f"Incorrect API key provided: {masked}. You can find your API key in the console.", "invalid_api_key"
    )


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the simulated fine-tuning API on 127.0.0.1.")
    parser.add_argument("--jobs", type=int, default=250, help="how many jobs there are")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each response")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    options = parser.parse_args()
    with SimulatedApi(simulated_jobs.new_jobs(options.jobs, time.time()), port=options.port) as api:
        api.latency = options.latency
        print(api.base_url, api.key, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
