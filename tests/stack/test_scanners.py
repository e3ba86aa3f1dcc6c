"""The scanners examine everything, and each exception has a reason."""

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.documents import TEMPLATE
from tests.loopback import LoopbackServer
from tests.make import make
from tests.sandbox.aws import ROOT


def test_every_suppression_has_its_reason() -> None:
    skipped = [
        skip
        for resource in TEMPLATE["Resources"].values()
        if isinstance(resource, dict)
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert skipped
    assert all(skip["comment"] for skip in skipped)


class VulnerabilityDatabase(LoopbackServer):
    """OSV's vulnerability database on loopback, without any vulnerability."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """Its response to a query."""

    server: VulnerabilityDatabase

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
        self.server.asked.append(package["name"])
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def database() -> Iterator[VulnerabilityDatabase]:
    with VulnerabilityDatabase() as server:
        yield server


def test_audit_checks_every_package(database: VulnerabilityDatabase) -> None:
    address = f"http://127.0.0.1:{database.server_port}"
    osv = {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": address}
    make("--silent", "audit", environment=os.environ | osv)
    requirements = (ROOT / "functions/snapshot/requirements.txt").read_text()
    assert sorted(database.asked) == sorted(line.split("==")[0] for line in requirements.splitlines() if "==" in line)
