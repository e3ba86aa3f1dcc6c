"""`make sandbox`: the stack in the embedded AWS with its schedule firing every minute, until Ctrl-C."""

import contextlib
import random
import shlex
import time
from collections.abc import Mapping

from operations.streams import prepare

from tests.environment import isolate
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import EmbeddedAws
from tests.sandbox.ending import end_in_order
from tests.sandbox.simulated_jobs import new_job
from tests.sandbox.stack import Stack

_LOOK_SECONDS = 2
_NEW_JOB_SECONDS = 90


def main() -> None:
    """Run until interrupted."""
    prepare()
    end_in_order()
    isolate()
    with contextlib.suppress(KeyboardInterrupt):
        _keep_up()
    print("\nStopped.")


def _keep_up() -> None:
    print("Starting and deploying …", flush=True)
    with EmbeddedAws() as aws, SimulatedApi() as api:
        stack = Stack(
            aws, "fine-tuning-snapshots", {"ScheduleExpression": "rate(1 minute)", "SecretPrefix": "fine-tuning/"}
        )
        stack.put_secret("default", api.secret)
        print("An AWS account is up, with the stack fine-tuning-snapshots in it. To use it in another terminal:\n")
        print(for_a_shell(aws.environment))
        print(
            f"\n  .venv/bin/aws s3 ls --recursive s3://{stack.outputs['SnapshotBucket']}"
            "\n  make latest\n  make invoke\n  make logs\n  make status"
            "\n\nAfter a make deploy there, delete samconfig.fine-tuning-snapshots.toml,"
            " or it would be taken for your own account's."
            f"\n\nThe simulated fine-tuning API is at {api.base_url}; a job is added every {_NEW_JOB_SECONDS} seconds."
            "\nThe secret of the source default has its address and key: `make secret` would replace them."
            "\nThe first snapshot comes within a minute. Ctrl-C stops and removes everything.\n",
            flush=True,
        )
        _watch(stack, api)


def for_a_shell(environment: Mapping[str, str]) -> str:
    """Return shell commands that set these AWS variables and unset all others."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return "\n".join(["  unset $(env | sed -n 's/^\\(AWS_[A-Z0-9_]*\\)=.*/\\1/p')", *(f"  {line}" for line in exports)])


def _watch(stack: Stack, api: SimulatedApi) -> None:
    """Report each new snapshot, and add jobs."""
    chance = random.Random(time.time_ns())
    seen: set[str] = set()
    added = time.monotonic()
    while True:
        for key, body in stack.objects().items():
            if key not in seen and key.startswith("snapshots/"):
                print(f"{key}: {len(body.splitlines()) - 1} jobs", flush=True)
            seen.add(key)
        if time.monotonic() - added > _NEW_JOB_SECONDS:
            added = time.monotonic()
            api.jobs = [new_job(chance, int(api.now), "succeeded", hours=0.05), *api.jobs]
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
