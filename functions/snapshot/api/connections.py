"""The session of HTTP that a client uses."""

import requests

from snapshot import __version__
from snapshot.credentials import Credentials


class _Session(requests.Session):
    """A session for which no response is a redirect: else it reads the whole body, without limit, and the address."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none."""


def session(credentials: Credentials, connections: int) -> requests.Session:
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
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
