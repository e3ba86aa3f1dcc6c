"""The embedded AWS: MiniStack on loopback in a child process, over TLS, with IAM enforced."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import boto3
import requests
import trustme

from tests.environment import NO_AWS_SETTINGS, no_proxy
from tests.sandbox.ending import signals_held_back

REGION = "us-east-1"
ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_new_client: Callable[..., Any] = boto3.client  # its own type accepts only literal names of services


class EmbeddedAws:
    """Runs inside `with`. With its `environment`, boto3, the AWS CLI and the SAM CLI use it.

    Deployed functions get the variables `way_out`.
    """

    def __init__(self, way_out: dict[str, str] | None = None) -> None:
        self._way_out = way_out or no_proxy()
        self._clients: dict[tuple[str, ...], Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self._start(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _start(self, closing: ExitStack) -> None:
        with signals_held_back():
            made = tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True)
            self.folder = folder = Path(closing.enter_context(made))
        self.certificate = folder / "authority.pem"
        self.log = folder / "ministack.log"
        self._clock = folder / "clock"
        self._ahead = 0.0
        _write_certificates(folder, self.certificate)
        with socket.create_server(("127.0.0.1", 0)) as listener, self.log.open("wb") as log, signals_held_back():
            self.port = listener.getsockname()[1]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.sandbox.ministack.server", str(listener.fileno()), str(self._clock)],
                cwd=ROOT,
                env=self._server_environment(folder),
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C goes to the parent only, which then ends this process in order
            )
            closing.callback(self._stop)
        self._wait_until_ready()

    def _stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for AWS clients, with the credentials of the account's root."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            **NO_AWS_SETTINGS,
            **no_proxy(),
        }

    def advance(self, seconds: float) -> None:
        """Set CloudWatch's clock ahead, for its alarms and for metrics that are recorded from now on."""
        self._ahead += seconds
        self._clock.write_text(str(self._ahead))

    def client(self, service: str, **credentials: str) -> Any:
        """Return a boto3 client with the root's credentials, or with others; always the same one."""
        key = (service, *credentials.values())
        if key not in self._clients:  # making one takes longer than most requests
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} | credentials
            self._clients[key] = _new_client(
                service, region_name=REGION, endpoint_url=self.endpoint, verify=str(self.certificate), **keys
            )
        return self._clients[key]

    def put_secret(self, name: str, value: str | bytes | None) -> None:
        """Create or replace a secret: text, binary, or without a value."""
        secrets = self.client("secretsmanager")
        given = {} if value is None else {"SecretBinary" if isinstance(value, bytes) else "SecretString": value}
        try:
            secrets.create_secret(Name=name, **given)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, **given)

    def buckets(self) -> set[str]:
        """Return the names of all buckets."""
        return {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return every object in a bucket: key to content."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def _server_environment(self, folder: Path) -> dict[str, str]:
        # No more: functions inherit it, and the user's own AWS settings must not reach them.
        interpreter = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return (
            interpreter
            | self._way_out
            | {
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_REGION": REGION,
                "AUTH": "true",
                "USE_SSL": "1",
                "MINISTACK_SSL_CERT": str(folder / "server.pem"),
                "MINISTACK_SSL_KEY": str(folder / "server.key"),
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_CA_BUNDLE": str(self.certificate),
                "IOT_MTLS_ENABLED": "false",  # without this it listens on every interface
                "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "1",  # AWS waits minutes
                "PYTHONUNBUFFERED": "1",
                "PYTHONUTF8": "1",
            }
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                requests.get(f"{self.endpoint}/_ministack/health", verify=str(self.certificate), timeout=5)
            except requests.RequestException:  # not started yet, or busy
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"The embedded AWS did not start:\n{self.log.read_text()}")


def _write_certificates(folder: Path, authority_file: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    server = authority.issue_cert("127.0.0.1", "localhost")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
