"""What of the user's environment reaches the builds, the tests and the sandbox, and what does not.

Commands for the user's own AWS account (functions/operations) keep all of it.
"""

import os
from collections.abc import Mapping

# Families of variables that change what our tools do, or lead them to the user's own account.
_FAMILIES = ("AWS_", "SAM_", "__SAM_", "POWERTOOLS_", "PYTHON", "MAKE", "MFLAGS", "GNUMAKEFLAGS")
# How the user's machine reaches others, in upper and in lower case.
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
    """An environment without the user's settings for AWS, SAM, Powertools, Python and make; with UTF-8 for Python."""
    return {
        **{name: value for name, value in environment.items() if not name.startswith(_FAMILIES)},
        **NO_AWS_SETTINGS,
        "SAM_CLI_TELEMETRY": "0",
        "PYTHONUTF8": "1",
    }


def isolate() -> None:
    """Make this process, and those that it starts, know no account and no way out of this machine."""
    alone = {name: value for name, value in without_settings(os.environ).items() if name.lower() not in _WAY_OUT}
    os.environ.clear()
    os.environ.update(alone | no_proxy("*") | {"NETRC": os.devnull})


def way_out(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's proxies and certificates; what is on this machine needs no proxy."""
    own = {name: value for name, value in environment.items() if name.lower() in _WAY_OUT}
    never = (own.get("no_proxy") or own.get("NO_PROXY") or "").strip()
    return own | no_proxy(f"{never},{_LOOPBACK}" if never not in {"", "*"} else never or _LOOPBACK)


def no_proxy(hosts: str = _LOOPBACK) -> dict[str, str]:
    """Variables for what is to be reached directly: some programs read one of them, some the other."""
    return dict.fromkeys(("no_proxy", "NO_PROXY"), hosts)
