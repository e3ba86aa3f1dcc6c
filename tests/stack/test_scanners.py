"""What looks for weaknesses finds them, in the template and in the packages."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.documents import TEMPLATE
from tests.sandbox.aws import ROOT

CHECKOV = ROOT / ".venv" / "scanners" / "bin" / "checkov"


def test_every_suppression_has_its_reason() -> None:
    skipped = [
        skip
        for resource in TEMPLATE["Resources"].values()
        if isinstance(resource, dict)
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert skipped
    assert all(len(skip["comment"]) > 40 for skip in skipped)


def test_a_bucket_for_everybody_is_found() -> None:
    public = ROOT / ".aws-sam" / "public.yaml"
    template = (ROOT / "template.yaml").read_text()
    public.write_text(template.replace("RestrictPublicBuckets: true", "RestrictPublicBuckets: false"))
    done = subprocess.run(
        [CHECKOV, "--file", public, "--framework", "cloudformation", "--skip-download", "--quiet", "--compact"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RestrictPublicBuckets enabled" in done.stdout


class VulnerabilityDatabase(ThreadingHTTPServer):
    """OSV's query by package and version, on loopback, with a vulnerability of one package."""

    def __init__(self, vulnerable: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.vulnerable = vulnerable
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    """Its answer to one query."""

    server: VulnerabilityDatabase

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
        self.server.asked.append(package["name"])
        found = {"id": "OSV-1", "summary": "Simulated.", "affected": [{"package": package}]}
        body = json.dumps({"vulns": [found]} if package["name"] == self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[VulnerabilityDatabase]:
    with VulnerabilityDatabase(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("database", "status"), [("requests", 2), ("none", 0)], indirect=["database"])
def test_audit_asks_for_every_package(database: VulnerabilityDatabase, status: int) -> None:
    done = subprocess.run(
        ["make", "--silent", "audit"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        | {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": f"http://127.0.0.1:{database.server_port}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert ("OSV-1" in done.stdout) == (status == 2)
    requirements = (ROOT / "functions/snapshot/requirements.txt").read_text()
    assert sorted(database.asked) == sorted(line.split("==")[0] for line in requirements.splitlines() if "==" in line)
