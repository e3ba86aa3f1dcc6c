"""A company's proxy on loopback, which forwards connections and records their targets."""

import contextlib
import io
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import LoopbackServer

_CONNECT_SECONDS = 30


class Proxy(LoopbackServer):
    """Serves inside `with`; `asked` has the targets of all requests."""

    daemon_threads = True  # connections may be kept open

    def __init__(self) -> None:
        super().__init__(_Client)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Client(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        """Forward data in both directions until one side closes."""
        host, _, port = self.path.rpartition(":")
        self.server.asked.append(host)
        try:
            far = socket.create_connection((host, int(port)), _CONNECT_SECONDS)
        except OSError:
            self.send_error(502)
            return
        far.settimeout(None)
        self.send_response(200)
        self.end_headers()
        with far:
            threading.Thread(target=_pass_on, args=(self.connection, far), daemon=True).start()
            _pass_on(far, self.connection)
        self.close_connection = True

    def do_GET(self) -> None:
        """Refuse plain HTTP: nothing of this project goes to the Internet unencrypted."""
        self.server.asked.append(self.path)
        self.send_error(403)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        shutil.copyfileobj(source.makefile("rb", buffering=0), _Writer(target))
        target.shutdown(socket.SHUT_WR)


class _Writer(io.RawIOBase):
    def __init__(self, target: socket.socket) -> None:
        self._target = target

    def write(self, data: Any) -> int:
        self._target.sendall(data)
        return len(data)
