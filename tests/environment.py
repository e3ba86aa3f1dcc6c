"""Which variables of the user's environment reach the builds, the tests and the sandbox.

Commands for the user's own AWS account (functions/operations) keep all of it.
"""

import os
from collections.abc import Mapping

# Prefixes of variables that change what our tools do, or that select the user's own AWS account.
_FAMILIES = ("AWS_", "SAM_", "__SAM_", "POWERTOOLS_", "PYTHON", "MAKE", "MFLAGS", "GNUMAKEFLAGS")
# Proxies and certificates, in upper and lower case.
_WAY_OUT = {
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("requests_ca_bundle", "curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir"),
}
# An absent file is no error: https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
NO_AWS_SETTINGS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_LOOPBACK = "127.0.0.1,localhost"


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the user's settings for AWS, SAM, Powertools, Python and make, and with UTF-8."""
    return {
        **{name: value for name, value in environment.items() if not name.startswith(_FAMILIES)},
        **NO_AWS_SETTINGS,
        "SAM_CLI_TELEMETRY": "0",
        "PYTHONUTF8": "1",
    }


def isolate() -> None:
    """Remove all AWS accounts and proxies from the environment of this process and its children."""
    alone = {name: value for name, value in without_settings(os.environ).items() if name.lower() not in _WAY_OUT}
    os.environ.clear()
    os.environ.update(alone | no_proxy("*") | {"NETRC": os.devnull})


def way_out(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the user's proxies and certificates, with loopback as an exception."""
    own = {name: value for name, value in environment.items() if name.lower() in _WAY_OUT}
    never = (own.get("no_proxy") or own.get("NO_PROXY") or "").strip()
    return own | no_proxy(f"{never},{_LOOPBACK}" if never not in {"", "*"} else never or _LOOPBACK)


def no_proxy(hosts: str = _LOOPBACK) -> dict[str, str]:
    """Return both spellings of NO_PROXY: programs read one or the other."""
    return dict.fromkeys(("no_proxy", "NO_PROXY"), hosts)
