"""For `make secret`: takes the value of a secret, at a prompt or from standard input, and prints it if a run would.

Not a part of the deployed function. The value goes through pipes only: arguments, environment and files can be read.
"""

import getpass
import sys

from snapshot.credentials import parse
from snapshot.errors import SecretError, SnapshotError
from snapshot.settings import DEFAULT_BASE_URL, Run


def main(prefix: str, source: str) -> None:
    """Print the value of a source's secret, without white space around, or exit with what is wrong with it."""
    name = prefix + source
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
        sys.exit("The value is not UTF-8: save it as UTF-8, without a byte order mark. Nothing was stored.")
    except SnapshotError as error:
        error.source = source
        sys.exit(f"{error} Nothing was stored.")
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nNothing was stored.")
    sys.stdout.buffer.write(value.strip().encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
