"""pip's settings decide where packages come from, the command decides where they go."""

import base64
import hashlib
import io
import os
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme

from tests.loopback import LoopbackServer
from tests.sandbox.aws import ROOT

UV = ROOT / ".venv" / "bin" / "uv"
INSTALLERS: dict[str, list[str]] = {
    "pip": [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"],
    "uv": [str(UV), "pip", "install", "--quiet", "--require-hashes", "--python", sys.executable],
}
WHEEL = "sample-1.0-py3-none-any.whl"


def _wheel(module: bytes) -> bytes:
    """Return the smallest wheel with one module."""
    files = {
        "sample.py": module,
        "sample-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        "sample-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "sample-1.0.dist-info/RECORD"
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for name, data in files.items()}
    lines = [f"{name},sha256={digests[name].rstrip(b'=').decode()},{len(files[name])}" for name in files]
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        for name, data in {**files, record: "\n".join([*lines, f"{record},,"]).encode()}.items():
            archive.writestr(name, data)
    return content.getvalue()


class Mirror(LoopbackServer):
    """A company's index with one package."""

    def __init__(self) -> None:
        super().__init__(_Page)
        self.wheel = _wheel(b"")
        self.url = f"http://127.0.0.1:{self.server_port}/simple"

    def use_tls(self, authority: trustme.CA) -> None:
        """Serve over TLS with a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    @property
    def requirement(self) -> str:
        return f"sample==1.0 --hash=sha256:{hashlib.sha256(self.wheel).hexdigest()}\n"


class _Page(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        """Serve the package's page, or its file."""
        pages = {"/simple/sample/": f'<a href="/{WHEEL}">{WHEEL}</a>'.encode(), f"/{WHEEL}": self.server.wheel}
        body = pages.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/zip")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body and self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as mirror:
        yield mirror


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user whose pip.conf sends packages elsewhere, and whose uv.toml cannot be parsed.

    It has no `cert`, which the machine's own pip.conf may have.
    """
    home = tmp_path / "home"
    options = f"user = yes\ntarget = {tmp_path}/elsewhere\n"
    for name, text in {
        ".config/pip/pip.conf": f"[global]\ncert =\n{options}\n[install]\n{options}",
        ".config/uv/uv.toml": "nonsense = [\n",
    }.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(text)
    return home


def _install(installer: str, requirement: str, target: Path, home: Path, **environment: str) -> str:
    """Install a package into a folder; return the errors."""
    file = target.with_suffix(".txt")
    file.write_text(requirement)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.packages", *INSTALLERS[installer], "--target", target, "--requirement", file],
        cwd=ROOT,
        env=own | {"HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (target / "sample.py").exists()
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize(
    "setting", ["index-url = {url}", "extra-index-url = {url}", "no-index = true\nfind-links = {folder}"]
)
def test_a_mirror_of_pip_conf_serves_pip_and_uv(
    setting: str, installer: str, mirror: Mirror, home: Path, tmp_path: Path
) -> None:
    (tmp_path / WHEEL).write_bytes(mirror.wheel)
    conf = home / ".config" / "pip" / "pip.conf"
    setting = setting.format(url=mirror.url, folder=tmp_path)
    conf.write_text(conf.read_text().replace("[global]", f"[global]\n{setting}"))
    # Never the index on the Internet, which may have a package of this name.
    rest = {"PIP_INDEX_URL": f"{mirror.url}/none"} if setting.startswith("extra") else {}
    assert _install(installer, mirror.requirement, tmp_path / "target", home, **rest) == ""
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PIP_INDEX_URL", "{mirror.url}"),
        ("PIP_CONFIG_FILE", "{folder}/pip/pip.conf"),
        pytest.param(
            "XDG_CONFIG_DIRS", "{folder}", marks=pytest.mark.skipif(sys.platform == "darwin", reason="Linux's")
        ),
    ],
)
def test_a_mirror_of_the_machine_serves_pip_and_uv(
    variable: str, value: str, installer: str, mirror: Mirror, home: Path, tmp_path: Path
) -> None:
    """The mirror is set in a file for all users, such as /etc/xdg/pip/pip.conf, or in the environment."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text(f"[global]\nindex-url = {mirror.url}\n")
    named = {variable: value.format(mirror=mirror, folder=tmp_path)}
    elsewhere = {"PIP_TARGET": str(tmp_path / "elsewhere"), "PIP_NO_BINARY": ":all:", "UV_OFFLINE": "1"}
    assert _install(installer, mirror.requirement, tmp_path / "target", home, **named, **elsewhere) == ""
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("installer", INSTALLERS)
def test_file_with_another_hash_is_refused(installer: str, mirror: Mirror, home: Path, tmp_path: Path) -> None:
    requirement = mirror.requirement
    mirror.wheel = _wheel(b"other = True")
    assert "hash" in _install(installer, requirement, tmp_path / "target", home, PIP_INDEX_URL=mirror.url).lower()


@pytest.mark.parametrize("installer", INSTALLERS)
def test_home_folder_may_be_read_only(installer: str, mirror: Mirror, tmp_path: Path) -> None:
    home = Path("/dev/null/home")  # also not by root
    assert _install(installer, mirror.requirement, tmp_path / "target", home, PIP_INDEX_URL=mirror.url) == ""


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_authority_of_a_company_is_trusted(
    variable: str, installer: str, mirror: Mirror, home: Path, tmp_path: Path
) -> None:
    """The authority is given to pip, to programs in Python, or to all programs."""
    authority = trustme.CA()
    mirror.use_tls(authority)
    authority.cert_pem.write_to_path(tmp_path / "company.pem")
    trusted = {"PIP_INDEX_URL": mirror.url, variable: str(tmp_path / "company.pem")}
    assert _install(installer, mirror.requirement, tmp_path / "target", home, **trusted) == ""


@pytest.mark.parametrize("installer", INSTALLERS)
def test_another_authority_is_not_trusted(installer: str, mirror: Mirror, home: Path, tmp_path: Path) -> None:
    mirror.use_tls(trustme.CA())
    index = {"PIP_INDEX_URL": mirror.url, "PIP_RETRIES": "0"}
    assert _install(installer, mirror.requirement, tmp_path / "target", home, **index) != ""
