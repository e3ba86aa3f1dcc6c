"""A session of HTTP whose connections can be cut while they are in use."""

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

# It logs addresses with their query, which may hold secrets: every request at DEBUG, malformed headers as a warning.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Adapter(requests.adapters.HTTPAdapter):
    """An adapter that knows the sockets of its connections."""

    def __init__(self, connections: int) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool for a request, whose new connections report their sockets."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        with self._lock:
            if "ConnectionCls" not in vars(pool):
                pool.ConnectionCls = _reporting(pool.ConnectionCls, self._sockets, self._lock)
        return pool

    def cut(self) -> None:
        """End every connection, so that a thread that reads from one fails at once."""
        with self._lock:
            for connected in self._sockets:
                with suppress(OSError):  # it is closed already
                    # Not SSLSocket's own, which takes the TLS state from under the thread that reads.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _reporting(base: Any, sockets: weakref.WeakSet[Any], lock: threading.Lock) -> Any:
    # It does not know the adapter: urllib3 closes what is left in a pool once nobody knows the pool any more.
    class Connection(base):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            with lock:
                sockets.add(getattr(self.sock, "socket", self.sock))  # the former of TLS within TLS, to a proxy

    return Connection


def cause(error: Exception) -> str:
    """Why there was no connection, in a few words; else what the error says."""
    wrapped = error.args[0] if error.args else None
    reason = getattr(wrapped, "reason", None)
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return f"the host {reason.conn.host} was not found (check the base_url)"
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        number = getattr(reason.__cause__, "errno", None)
        why = "refused the connection" if number == errno.ECONNREFUSED else "cannot be reached"
        return f"the host {reason.conn.host} {why} at port {reason.conn.port} (check the base_url)"
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return f"no connection to the host within the time for it ({reason})"
    return str(error)


class _Session(requests.Session):
    """A session for which no response is a redirect: else it reads the whole body, without limit, and the address."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none."""


def session(credentials: Credentials, adapter: Adapter) -> requests.Session:
    """A session that sends the credentials with every request, and nothing else of the environment's."""
    session = _Session()
    # Proxies and certificates of the environment, looked up once: requests would do it anew for every request.
    # Nor is a .netrc file read, whose password would replace the key.
    environment = session.merge_environment_settings(credentials.base_url, {}, None, None, None)
    session.proxies, session.verify = environment["proxies"], environment["verify"]
    if credentials.base_url.startswith("http:"):  # to loopback, which is no proxy's to read
        session.proxies = {}
    session.trust_env = False
    session.headers["User-Agent"] = f"fine-tuning-snapshots/{__version__}"
    session.headers.update(credentials.headers)
    session.params = {**credentials.default_query}
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
