"""`make secret`: stores an API key from a prompt or from standard input in a source's secret, if a run would accept it.

The key is never in an argument, the environment or a file, because others can read those.
"""

import getpass
import os
import sys

from snapshot.credentials import parse
from snapshot.errors import SecretError, SnapshotError
from snapshot.settings import DEFAULT_BASE_URL, DEFAULT_SECRET_PREFIX, DEFAULT_SOURCE, Run

from operations import stack
from operations.errors import OperationError, run
from operations.stack import Target


def main() -> None:
    """Create or update the secret of SOURCE, and print its name."""
    source = os.environ.get("SOURCE") or DEFAULT_SOURCE
    target = stack.chosen()
    name = _prefix(target) + source
    _put(target, name, _value(name, source))
    print(name)


def _prefix(target: Target) -> str:
    """Return the prefix in SECRET_PREFIX, else in the answers, else (in a clone without answers) of the stack."""
    if prefix := os.environ.get("SECRET_PREFIX"):
        return prefix
    if target.answers:
        return target.answers.parameters.get("SecretPrefix", DEFAULT_SECRET_PREFIX)
    deployed = stack.describe(target)
    return deployed.parameters.get("SecretPrefix", DEFAULT_SECRET_PREFIX) if deployed else DEFAULT_SECRET_PREFIX


def _value(name: str, source: str) -> str:
    """Return the key without surrounding white space; raises OperationError that says what is wrong with it."""
    try:
        Run.parse({"source": source})
        if sys.stdin.isatty():
            value = getpass.getpass(f"API key for the secret {name} (it is not echoed): ")
        else:
            value = sys.stdin.buffer.read().decode()
        if not value.strip():
            raise SecretError("No key was given.")
        parse(name, value, DEFAULT_BASE_URL)
    except UnicodeError:
        raise OperationError(
            "The value is not UTF-8: save it as UTF-8 without a byte order mark. Nothing was stored."
        ) from None
    except SnapshotError as error:
        error.source = source
        raise OperationError(f"{error} Nothing was stored.") from None
    except (KeyboardInterrupt, EOFError):
        raise OperationError("\nNothing was stored.") from None
    return value.strip()


def _put(target: Target, name: str, value: str) -> None:
    secrets = target.session.client("secretsmanager")
    try:
        try:
            secrets.put_secret_value(SecretId=name, SecretString=value)
        except secrets.exceptions.ResourceNotFoundException:
            secrets.create_secret(Name=name, SecretString=value)
    except secrets.exceptions.InvalidRequestException as error:
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
        if "deletion" not in str(error):
            raise
        raise OperationError(
            f"The secret {name} is scheduled for deletion, and its name cannot be reused until then. Nothing was "
            "stored. Restore the secret, then try again:\n"
            f"  aws secretsmanager restore-secret --region {target.region} --secret-id {name}"
        ) from None


if __name__ == "__main__":
    run(main)
