"""Run a command that installs packages: the user's pip settings decide where they come from, not where they go.

    python -m tests.packages COMMAND [ARGUMENT ...]

Of pip's settings, those for a mirror, a proxy or certificates are kept, from files and from PIP_*. Those like `user`
and `target` are not: they would put the packages elsewhere. uv does not read pip's settings, so it gets them as UV_*.
"""

import ast
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.environment import without_settings

# https://pip.pypa.io/en/stable/cli/pip_install/, and uv's names for the same:
# https://docs.astral.sh/uv/reference/environment/
_FOR_UV = {
    "index-url": ["UV_DEFAULT_INDEX"],
    "extra-index-url": ["UV_INDEX"],
    "find-links": ["UV_FIND_LINKS"],
    "no-index": ["UV_OFFLINE"],
    "trusted-host": ["UV_INSECURE_HOST"],
    "proxy": ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"],
    "cert": ["SSL_CERT_FILE"],
    "client-cert": ["SSL_CLIENT_CERT"],
    "timeout": ["UV_HTTP_TIMEOUT"],
    "default-timeout": ["UV_HTTP_TIMEOUT"],
    "retries": ["UV_HTTP_RETRIES"],
}
_ONLY_FOR_PIP = {"cache-dir", "no-cache-dir", "keyring-provider"}


def environment(user: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the command, from the user's."""
    settings = _settings_of_pip(user)
    own = {
        name: value
        for name, value in without_settings(user).items()
        if not name.startswith(("PIP_", "UV_"))
        or name == "UV_PYTHON_INSTALL_DIR"  # the build looks there for Lambda's Python
    }
    for_pip = {_variable(name): value for name, value in settings.items()}
    for_uv = {name: text for option, value in settings.items() for name, text in _for_uv(option, value).items()}
    return {
        **own,
        **for_pip,
        "PIP_CONFIG_FILE": os.devnull,  # no other file of the user or the machine
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **for_uv,
        "UV_NO_CONFIG": "1",
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # like pip; safe, because each file must have its hash
        **_cache_of_uv(user),
        **({"UV_SYSTEM_CERTS": "1"} if sys.platform == "darwin" else {}),
    }


def _settings_of_pip(user: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings for getting packages: option to value."""
    names = _FOR_UV.keys() | _ONLY_FOR_PIP
    kept = {"PIP_CONFIG_FILE", *map(_variable, names)}
    own = {name: value for name, value in without_settings(user).items() if not name.startswith("PIP_") or name in kept}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        # Otherwise, with `user` in [global], this command lists only the user's file.
        env=own | {"PIP_USER": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"^(global|install|:env:)\.([a-z-]+)=(.*)$", listed, re.MULTILINE)
    values = {
        name: str(ast.literal_eval(value))
        for wanted in ("global", "install", ":env:")  # the last one has priority
        for section, name, value in found
        if section == wanted and name in names
    }
    # Requests, which pip uses for downloads, prefers these variables to pip's own setting.
    of_requests = user.get("REQUESTS_CA_BUNDLE") or user.get("CURL_CA_BUNDLE")
    values["cert"] = of_requests or values.get("cert") or _certificates_of_the_system()
    return {name: value for name, value in values.items() if value}


def _certificates_of_the_system() -> str:
    """Return the file with the system's certificate authorities, as of a company's proxy; empty without one.

    On macOS a keychain holds them: pip reads it from version 24.2 on, uv with a setting.
    """
    return (ssl.get_default_verify_paths().cafile or "") if sys.platform != "darwin" else ""


def _variable(option: str) -> str:
    return "PIP_" + option.upper().replace("-", "_")


def _for_uv(option: str, value: str) -> dict[str, str]:
    separated = ",".join(value.split()) if option == "find-links" else value
    return dict.fromkeys(_FOR_UV.get(option, ()), separated)


def _cache_of_uv(user: Mapping[str, str]) -> dict[str, str]:
    """Return settings for uv: no cache if the user's cannot be written, where uv would fail; pip uses none there."""
    own = user.get("UV_CACHE_DIR")
    try:
        folder = Path(own or user.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        writable = False
    if not writable:
        return {"UV_NO_CACHE": "1"}
    return {"UV_CACHE_DIR": own} if own else {}


def main() -> None:
    """Replace this process by the command."""
    command = sys.argv[1:]
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"{command[0]} is not there: `make clean`, then try again.")
    os.execve(program, command, environment(os.environ))


if __name__ == "__main__":
    main()
