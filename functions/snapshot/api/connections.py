"""The HTTP session, whose connections can be closed while they are in use."""

import errno
import logging
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

import requests
import urllib3

from snapshot import __version__
from snapshot.credentials import Credentials

# urllib3 logs URLs with their query, which may hold secrets: every request at DEBUG, malformed headers as a warning.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Adapter(requests.adapters.HTTPAdapter):
    """An adapter that knows the sockets of its connections."""

    def __init__(self, connections: int) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the pool for a request; its new connections register their sockets."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        with self._lock:
            if "ConnectionCls" not in vars(pool):
                pool.ConnectionCls = _registering(pool.ConnectionCls, self._sockets, self._lock)
        return pool

    def cut(self) -> None:
        """Shut down every connection, so that a thread that reads from one fails at once."""
        with self._lock:
            for connected in self._sockets:
                with suppress(OSError):  # already closed
                    # Not SSLSocket.shutdown, which removes the TLS state while another thread reads.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _registering(base: Any, sockets: weakref.WeakSet[Any], lock: threading.Lock) -> Any:
    # No reference to the adapter: urllib3 closes the connections of a pool when nothing refers to the pool any more.
    class Connection(base):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            with lock:
                sockets.add(getattr(self.sock, "socket", self.sock))  # `socket` for TLS within TLS, through a proxy

    return Connection


def cause(error: Exception) -> str:
    """Return why a connection failed, in a few words; for any other error, its own text."""
    wrapped = error.args[0] if error.args else None
    reason = getattr(wrapped, "reason", None)
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return f"the host {reason.conn.host} was not found (check the base_url)"
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        number = getattr(reason.__cause__, "errno", None)
        why = "refused the connection" if number == errno.ECONNREFUSED else "cannot be reached"
        return f"the host {reason.conn.host} {why} at port {reason.conn.port} (check the base_url)"
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        connection = reason.args[0]
        return f"the host {connection.host} did not accept a connection at port {connection.port} in time"
    return str(error)


class _Session(requests.Session):
    """A session that treats no response as a redirect: requests would read the body of one without a limit."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, always."""


def session(credentials: Credentials, adapter: Adapter) -> requests.Session:
    """Return a session that sends the credentials with every request, and none from the environment."""
    session = _Session()
    # Read proxies and certificates from the environment once, not for every request as requests does by default.
    # A .netrc file is not read: its password would replace the key.
    environment = session.merge_environment_settings(credentials.base_url, {}, None, None, None)
    session.proxies, session.verify = environment["proxies"], environment["verify"]
    if credentials.base_url.startswith("http:"):  # loopback only, where a proxy must not read the key
        session.proxies = {}
    session.trust_env = False
    session.headers["User-Agent"] = f"fine-tuning-snapshots/{__version__}"
    session.headers.update(credentials.headers)
    session.params = {**credentials.default_query}
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
