"""A user with all settings at once that, according to public reports, have broken our tools for others."""

import shutil
import subprocess
from pathlib import Path

_FILES = {
    ".aws/config": "[default\nregion: none\n",
    ".aws/credentials": "nonsense\n",
    ".config/pip/pip.conf": "[global]\nuser = yes\ntarget = {home}/elsewhere\n\n[install]\nuser = yes\n",
    ".config/uv/uv.toml": "nonsense = [\n",
    ".netrc": "default login nobody password nothing\n",
}
# A folder that does not exist, and values that are not valid.
_NOWHERE = "/nowhere"
_WRONG = {
    # Python's: other modules and options, and no UTF-8.
    **dict.fromkeys(("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX"), _NOWHERE),
    **dict.fromkeys(("PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE"), "1"),
    **dict.fromkeys(("PYTHONUTF8", "PYTHONCOERCECLOCALE"), "0"),
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTEST_ADDOPTS": "--no-such-option",
    "PYTEST_PLUGINS": "no_such_plugin",
    # pip's and uv's.
    **dict.fromkeys(("PIP_PREFIX", "PIP_TARGET", "PIP_ROOT", "UV_TARGET", "UV_PROJECT_ENVIRONMENT"), _NOWHERE),
    **dict.fromkeys(("PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN", "UV_SYSTEM_PYTHON", "UV_OFFLINE"), "1"),
    "PIP_NO_BINARY": ":all:",
    "UV_INDEX_URL": "http://127.0.0.1:9/simple",
    "UV_PYTHON": "3.8",
    # AWS's, SAM's and Powertools'.
    "AWS_PROFILE": "missing",
    **dict.fromkeys(("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"), "true"),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "often",
    "AWS_DEFAULT_OUTPUT": "table",
    "SAM_CLI_BETA_FEATURES": "maybe",
    "SAM_DEBUG": "1",
    "SAM_TEMPLATE_FILE": _NOWHERE,
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "Other",
    # A terminal's, and make's.
    "COLUMNS": "40",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "MAKEFLAGS": "-j4",
}


def settings(home: Path, proxy: str) -> dict[str, str]:
    """Write the user's files into `home`; return the user's variables. NO_PROXY does not contain loopback."""
    for name, text in _FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text.format(home=home))
        (home / name).chmod(0o600)
    (home / "tmp files").mkdir()
    proxies = {f"{kind}_proxy": proxy for kind in ("http", "https", "all")} | {"no_proxy": "example.com"}
    proxies |= {name.upper(): value for name, value in proxies.items()}
    return {"HOME": str(home), "TMPDIR": str(home / "tmp files"), **_WRONG, **proxies, **latin_1(home)}


def latin_1(folder: Path) -> dict[str, str]:
    """Return the variables of a Latin-1 locale: an installed one, else one made in `folder`, else C."""
    listed = (
        shutil.which("locale") and subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout
    )
    for name in (listed or "").splitlines():
        if name.lower().replace("-", "").endswith("en_us.iso88591"):
            return {"LC_ALL": name}
    name = "en_US.ISO-8859-1"
    if shutil.which("localedef"):
        made = subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / name], capture_output=True, check=False
        )
        if made.returncode == 0:
            return {"LC_ALL": name, "LOCPATH": str(folder)}
    return {"LC_ALL": "C"}
