"""A function in AWS's runtime interface client (awslambdaric), with a Lambda runtime API on loopback.

The runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
The variables that Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self, TypeVar

_START_SECONDS = 30
Item = TypeVar("Item")


class Invocation(NamedTuple):
    """The result of one invocation."""

    request_id: str
    outcome: str  # `response` or `error`
    payload: Any
    output: list[str]  # the lines that were logged during it


class LambdaProcess:
    """One execution environment, inside `with`: a process that serves one invocation after another.

    `configuration` is what Lambda's GetFunctionConfiguration returns; `environment` is added to the function's own.
    """

    def __init__(self, artifact: Path, configuration: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._api = _RuntimeApi()
        self._arn = configuration["FunctionArn"]
        self._command = [sys.executable, "-m", "awslambdaric", configuration["Handler"]]
        self._artifact = artifact
        self._environment = {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
            "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": configuration["LoggingConfig"]["LogFormat"],
            "AWS_LAMBDA_LOG_GROUP_NAME": configuration["LoggingConfig"]["LogGroup"],
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/31/[$LATEST]0123456789abcdef",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
            "LAMBDA_TASK_ROOT": str(artifact),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": configuration["Handler"],
            # As in Lambda, the artifact comes before the runtime's own packages.
            "PYTHONPATH": str(artifact),
            # As in Lambda, where /var/task is read-only: compiled files would be uploaded by the next deployment.
            "PYTHONDONTWRITEBYTECODE": "1",
            **configuration["Environment"]["Variables"],
            **environment,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._api.serve_forever, daemon=True).start()
        self._log = tempfile.NamedTemporaryFile()
        with Path(self._log.name).open("ab") as log:  # opened again, so that the positions of the two are independent
            self._process = subprocess.Popen(
                self._command,
                cwd=self._artifact,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,  # Lambda logs both, and the runtime's own lines
            )
        try:
            self._next(self._api.requests)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.shutdown()
        self._api.server_close()
        self._log.close()

    def invoke(self, event: Any, seconds: float = 300) -> Invocation:
        """Invoke the function, with this many seconds until its time-out."""
        request_id = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        self._api.invocations.put((headers, json.dumps(event).encode()))
        path, body = self._next(self._api.reports, seconds)
        self._next(self._api.requests)
        assert path in {f"/2018-06-01/runtime/invocation/{request_id}/{outcome}" for outcome in ("response", "error")}
        return Invocation(request_id, path.split("/")[-1], json.loads(body), self._new_output())

    def open_files_and_threads(self) -> tuple[int, int]:
        """Return the number of open files and of threads of the process."""
        process = Path(f"/proc/{self._process.pid}")
        return len([*(process / "fd").iterdir()]), len([*(process / "task").iterdir()])

    def _next(self, queue: "SimpleQueue[Item]", seconds: float = _START_SECONDS) -> Item:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(Empty):
                return queue.get(timeout=0.2)
        raise RuntimeError("The function's process has ended or hangs:\n" + "\n".join(self._new_output()))

    def _new_output(self) -> list[str]:
        return self._log.read().decode().splitlines()


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True  # one request waits for the invocation after the last

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.invocations: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()  # headers and event
        self.requests: SimpleQueue[str] = SimpleQueue()  # a request for an invocation: the process is ready
        self.reports: SimpleQueue[tuple[str, bytes]] = SimpleQueue()  # path and body


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        """Serve …/runtime/invocation/next."""
        self.server.requests.put(self.path)
        self._reply(200, *self.server.invocations.get())

    def do_POST(self) -> None:
        """Serve …/runtime/invocation/ID/response and …/error, and …/runtime/init/error."""
        self.server.reports.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self._reply(202, {"Content-Type": "application/json"}, b'{"status": "OK"}')

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
