"""Errors for the operator, as one sentence instead of a traceback."""

import os
import sys
from collections.abc import Callable

from botocore import exceptions

from operations.streams import prepare

# Error codes for invalid or expired credentials:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
_REFUSED_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_LOG_IN = "Set them with `aws configure`, choose a profile with AWS_PROFILE, or log in again with `aws sso login`."


class OperationError(Exception):
    """An error whose message says what is wrong and what to do."""


def run(command: Callable[[], None]) -> None:
    """Run a command; exit with a sentence and status 1 on an error of the operator or of AWS."""
    prepare()
    try:
        command()
        sys.stdout.flush()
    except BrokenPipeError:  # for example, `| head` has read enough
        # Without this, Python's final flush fails: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit()  # not an error, or make would report one
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    except OperationError as error:
        sys.exit(str(error))
    except (exceptions.ClientError, exceptions.BotoCoreError) as error:
        sys.exit(explain(error))


def explain(error: exceptions.ClientError | exceptions.BotoCoreError) -> str:
    """Return a sentence for an error of AWS, or of the connection to it."""
    match error:
        case exceptions.ClientError() if error.response["Error"]["Code"] in _REFUSED_CREDENTIALS:
            return f"AWS refuses the credentials ({error.response['Error']['Message']}). {_LOG_IN}"
        case (
            exceptions.NoCredentialsError()
            | exceptions.PartialCredentialsError()
            | exceptions.CredentialRetrievalError()
            | exceptions.ProfileNotFound()
            | exceptions.SSOError()
            | exceptions.TokenRetrievalError()
        ):
            return f"There are no valid AWS credentials ({error}). {_LOG_IN}"
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return f"AWS cannot be reached: {error}"
        case _:
            return str(error)
