"""The make targets that an operator uses, against the embedded AWS."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.artifact import ARTIFACT
from tests.loopback import LoopbackServer
from tests.sandbox.api import SimulatedApi
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.sandbox.runtime import LambdaProcess
from tests.sandbox.stack import Stack
from tests.stack.operator import Operator


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws, own_api: SimulatedApi) -> Stack:
    stack = Stack(aws, "operated", {"Sources": "mine,empty,keyless", "ScheduleState": "DISABLED"})
    for source in ("mine", "empty"):
        stack.put_secret(source, own_api.secret)
    stack.invoke(source="mine")
    return stack


# --- make invoke ---


def test_invoke_prints_the_summary_only(operator: Operator, own_api: SimulatedApi) -> None:
    printed = operator.make("invoke", "SOURCE=mine")
    assert json.loads(printed.output)["job_count"] == len(own_api.jobs)
    assert printed.errors == ""


def test_invoke_full_lists_every_page(operator: Operator) -> None:
    assert not json.loads(operator.run("invoke", "SOURCE=mine").output)["full_listing"]
    assert json.loads(operator.run("invoke", "SOURCE=mine", "FULL=1").output)["full_listing"]


def test_invoke_takes_an_event(operator: Operator) -> None:
    event = operator.folder / "an event.json"
    event.write_text('{"source": "mine", "full": true}')
    assert json.loads(operator.make("invoke", f"EVENT={event}").output)["full_listing"]


def test_invoke_is_not_full_with_0(operator: Operator) -> None:
    assert not json.loads(operator.run("invoke", "SOURCE=mine", "FULL=0").output)["full_listing"]


class _Failing(BaseHTTPRequestHandler):
    """A Lambda that fails every request, and records its path."""

    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.paths.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_invoke_is_not_repeated_which_would_start_a_second_run(operator: Operator) -> None:
    with LoopbackServer(_Failing) as server:
        operator.run(
            "invoke", "SOURCE=mine", status=1, AWS_ENDPOINT_URL_LAMBDA=f"http://127.0.0.1:{server.server_port}"
        )
    assert len(_Failing.paths) == 1


@pytest.mark.parametrize("word", ["SOURCE=mine", "FULL=1"])
def test_invoke_refuses_variables_that_contradict_the_event(word: str, operator: Operator) -> None:
    printed = operator.run("invoke", "EVENT=events/default.json", word, status=1)
    assert printed.output == ""
    assert printed.errors.startswith("EVENT is a whole event")


def test_invoke_names_a_missing_event_file(operator: Operator) -> None:
    printed = operator.run("invoke", "EVENT=no-such.json", status=1)
    assert printed.errors.startswith("The event no-such.json cannot be read: No such file or directory.\n")


def test_invoke_runs_only_for_a_source_of_the_stack(operator: Operator, stack: Stack) -> None:
    printed = operator.run("invoke", "SOURCE=min", status=1)
    assert printed.output == ""
    assert printed.errors.startswith(
        "The stack operated in us-east-1 has no source min. Choose one with SOURCE=…: mine, empty, keyless.\n"
    )
    assert "has no source default." in operator.run("invoke", status=1).errors
    assert not any('"source":"min"' in line for line in stack.logs())


def test_failed_run_is_reported_in_one_sentence(operator: Operator) -> None:
    printed = operator.make("invoke", "SOURCE=keyless", status=2)
    assert printed.output == ""
    assert printed.errors.startswith("The secret operated/keyless does not exist or has no value")
    assert "make secret SOURCE=keyless" in printed.errors
    assert "Traceback" not in printed.errors


# --- make latest ---


def test_latest_prints_the_table_byte_for_byte(operator: Operator, stack: Stack) -> None:
    operator.make("invoke", "SOURCE=mine")
    assert operator.make("latest", "SOURCE=mine").output.encode() == stack.objects()["latest/mine.tsv"]


def test_latest_says_how_to_take_a_first_snapshot(operator: Operator) -> None:
    printed = operator.run("latest", "SOURCE=empty", status=1)
    assert printed.output == ""
    assert "`make invoke SOURCE=empty STACK=operated` takes one." in printed.errors


def test_latest_of_a_removed_source_is_printed_while_there_is_one(operator: Operator, stack: Stack) -> None:
    s3, at = stack.aws.client("s3"), {"Bucket": stack.outputs["SnapshotBucket"], "Key": "latest/removed.tsv"}
    s3.put_object(**at, Body=b"its table\n")
    assert operator.run("latest", "SOURCE=removed") == ("its table\n", "")
    s3.delete_object(**at)
    printed = operator.run("latest", "SOURCE=removed", status=1)
    assert printed.output == ""
    assert printed.errors.startswith(
        "The stack operated in us-east-1 has no source removed. Choose one with SOURCE=…: mine, empty, keyless.\n"
    )


def test_closed_pipe_is_not_an_error(operator: Operator, stack: Stack) -> None:
    stack.aws.client("s3").put_object(
        Bucket=stack.outputs["SnapshotBucket"], Key="latest/large.tsv", Body=b"x" * 4_000_000
    )
    done = subprocess.run(
        "make --silent latest SOURCE=large | head -c 9", shell=True, cwd=ROOT, env=operator.environment,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == b"x" * 9
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr
    assert b"Error" not in done.stderr  # of make


# --- make logs ---


class Log:
    """A log stream of the stack, to which a test adds lines as the function's process would."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._logs, self._at = (
            stack.aws.client("logs"),
            {"logGroupName": stack.outputs["LogGroup"], "logStreamName": name},
        )
        self._logs.create_log_stream(**self._at)

    def add(self, *lines: str | dict[str, Any], hours_ago: float = 0) -> None:
        """Add lines of text or JSON, in this order."""
        time = int((datetime.now(UTC) - timedelta(hours=hours_ago)).timestamp() * 1000)
        events = [
            {"timestamp": time + number, "message": line if isinstance(line, str) else json.dumps(line)}
            for number, line in enumerate(lines)
        ]
        self._logs.put_log_events(**self._at, logEvents=events)


@pytest.fixture(scope="module")
def log(stack: Stack) -> Log:
    return Log(stack, "by hand")


def test_logs_show_a_run_as_one_line(operator: Operator) -> None:
    operator.make("invoke", "SOURCE=mine")
    printed = operator.make("logs", "SINCE=1h").output
    line = next(line for line in reversed(printed.splitlines()) if "Snapshot taken" in line)
    time, level, source, *words = line.split()
    assert datetime.fromisoformat(time).tzinfo
    assert (level, source) == ("INFO", "mine")
    assert {"Snapshot", "taken", "job_count=250", "full_listing=false"} <= {*words}
    assert "CloudWatchMetrics" not in printed
    assert "platform" not in printed


def test_logs_of_a_level_include_only_that_level_and_higher(operator: Operator, log: Log) -> None:
    for level in ("INFO", "WARNING", "ERROR"):
        log.add({"level": level, "message": f"a line at {level}", "source": "levels"})
    printed = operator.run("logs", "LEVEL=warning").output
    assert "a line at WARNING" in printed
    assert "a line at ERROR" in printed
    assert "a line at INFO" not in printed
    printed = operator.run("logs", "LEVEL=ERROR").output
    assert "a line at ERROR" in printed
    assert "a line at WARNING" not in printed


def test_logs_of_an_unusual_level_are_shown_at_every_level(operator: Operator, log: Log) -> None:
    log.add({"level": "FATAL", "message": "a line at FATAL"})
    assert "FATAL   - a line at FATAL\n" in operator.run("logs", "LEVEL=WARNING").output


def test_logs_begin_at_since(operator: Operator, log: Log) -> None:
    log.add({"level": "INFO", "message": "30 hours old"}, hours_ago=30)
    assert "30 hours old" not in operator.run("logs").output
    assert "30 hours old" in operator.run("logs", "SINCE=2days ago").output
    assert "'2days ago', '30min ago'" in operator.run("logs", "SINCE=soon", status=1).errors


# A report of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
def report(request: str, status: str, **more: str) -> dict[str, Any]:
    metrics = {"durationMs": 900000.0, "billedDurationMs": 900000, "memorySizeMB": 256, "maxMemoryUsedMB": 131}
    return {
        "time": "2026-11-22T13:15:00.000Z",
        "type": "platform.report",
        "record": {"requestId": request, "metrics": metrics, "status": status, **more},
    }


@pytest.mark.parametrize(
    ("line", "shown"),
    {
        "time-out": (report("1", "timeout"), "Lambda ended the run: it exceeded the time-out duration=900000 ms"),
        "out of memory": (report("2", "error", errorType="Runtime.OutOfMemory"), "ended the run: Runtime.OutOfMemory"),
        "import error": (
            {
                "timestamp": "2026-11-22T13:15:00Z",
                "level": "ERROR",
                "errorMessage": "Unable to import module 'snapshot.app': No module named 'requests'",
                "errorType": "Runtime.ImportModuleError",
                "requestId": "",
                "stackTrace": [],
            },
            "Runtime.ImportModuleError: Unable to import module 'snapshot.app'",
        ),
        "time-out as text": (
            "2026-11-22T13:15:00.000Z 3 Task timed out after 900.01 seconds\n\n",
            "Task timed out after",
        ),
        "crash": ("Fatal Python error: Segmentation fault\n\nCurrent thread", "Segmentation fault Current thread"),
    }.values(),
)
def test_logs_show_a_killed_process_as_an_error(
    line: str | dict[str, Any], shown: str, operator: Operator, log: Log
) -> None:
    log.add(line)
    errors = operator.run("logs", "LEVEL=ERROR").output
    assert shown in errors
    assert all(datetime.fromisoformat(line.split()[0]) for line in errors.splitlines())


def test_errors_include_the_end_of_a_traceback_in_text(operator: Operator, log: Log) -> None:
    log.add("Exception in thread Thread-1:", "Traceback (most recent call last):", "  File …", "KeyError: 'lost'")
    assert "ERROR   - KeyError: 'lost'\n" in operator.run("logs", "LEVEL=ERROR").output


@pytest.mark.skipif(sys.platform != "linux", reason="AWS's runtime client is compiled for Linux only")
def test_logs_show_an_error_once_though_the_runtime_repeats_it(
    operator: Operator, stack: Stack, log: Log, aws: EmbeddedAws
) -> None:
    function = stack.outputs["SnapshotFunction"]
    configuration = aws.client("lambda").get_function_configuration(FunctionName=function)
    with LambdaProcess(ARTIFACT, configuration, aws.environment) as process:
        invocation = process.invoke({"source": "unheard-of"})
    log.add(*invocation.output, report(invocation.request_id, "error", errorType="Function.SecretError"))
    printed = operator.run("logs", "LEVEL=ERROR").output
    assert printed.count("unheard-of") == printed.count("operated/unheard-of") + printed.count("SOURCE=unheard-of") + 1
    assert len([line for line in printed.splitlines() if "unheard-of" in line]) == 1
    assert "Function.SecretError" not in printed


def test_empty_log_is_reported_on_standard_error(operator: Operator) -> None:
    printed = operator.run("logs", "LEVEL=CRITICAL")
    assert printed.output == ""
    assert printed.errors.startswith("Nothing was logged since ")


def test_characters_that_the_terminal_lacks_are_replaced(operator: Operator, log: Log) -> None:
    log.add({"level": "INFO", "message": "model «ü» \u2192 \u001b[31m"})
    printed = operator.make(
        "logs", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii"
    ).output
    assert r"model \xab\xfc\xbb \u2192 ?[31m" in printed
    assert "model «ü» \u2192 ?[31m" in operator.make("logs", LC_ALL="C").output  # which says nothing of the terminal


def test_paths_and_values_with_shell_characters_are_not_split(operator: Operator) -> None:
    printed = operator.make("latest", "SOURCE=it's $(HOME) `id`", status=2)
    assert f"has no source it's {operator.folder} `id`." in printed.errors


@pytest.mark.parametrize("target", ["invoke", "latest", "logs", "status"])
def test_missing_stack_is_reported(target: str, operator: Operator) -> None:
    printed = operator.run(target, "STACK=no-such-stack", status=1)
    assert printed.output == ""
    assert printed.errors.startswith("There is no stack no-such-stack in us-east-1.")


# --- make secret ---

PREFIX = "SECRET_PREFIX=checked/"
KEY = "sk-0123456789abcdef"
NOT_UTF_8 = "save it as UTF-8"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "No key was given"),
    "white space": (" \n", "No key was given"),
    "white space inside": (f"{KEY} {KEY}", "white space"),
    "two lines": (f"{KEY}\n{KEY}", "white space"),
    "a shell's line": (f"OPENAI_API_KEY={KEY}\n", "NAME=value"),
    "quotation marks": (f'"{KEY}"\n', "quotation mark"),
    "a dollar and a backtick": (f"`echo $HOME`{KEY}", "quotation mark"),
    "broken JSON": (f'{{"api_key": "{KEY}"', "looks like JSON but cannot be parsed"),
    "an unknown field": (f'{{"api_key": "{KEY}", "apikey": "{KEY}"}}', "field other than api_key"),
    "a quoted key in JSON": (f'{{"api_key": "\\"{KEY}\\""}}', "quotation mark"),
    "Authorization": (f'{{"api_key": "k", "default_headers": {{"authorization": "{KEY}"}}}}', "must not hold Auth"),
    "a base_url for all to read": (f'{{"api_key": "{KEY}", "base_url": "http://x.y/v1"}}', "must begin with https"),
    "a byte order mark": (KEY.encode("utf-8-sig"), NOT_UTF_8),
    "UTF-16": (KEY.encode("utf-16"), NOT_UTF_8),
    "UTF-16 without a mark": (KEY.encode("utf-16-le"), NOT_UTF_8),
    "UTF-16 of the other order": (KEY.encode("utf-16-be"), NOT_UTF_8),
    "Latin-1": (f"{KEY}ä".encode("latin-1"), NOT_UTF_8),
}


def test_invalid_source_name_is_refused(operator: Operator) -> None:
    assert "source 'a.b' is not valid" in operator.run("secret", "SOURCE=a.b", PREFIX, given=KEY, status=1).errors


def test_secret_prefix_defaults_to_the_stack_s(operator: Operator) -> None:
    assert operator.run("secret", "SOURCE=new", given=KEY).output == "operated/new\n"
    assert operator.run("secret", "SOURCE=new", PREFIX, given=KEY).output == "checked/new\n"
    assert operator.run("secret", "SOURCE=new", "STACK=not-yet", given=KEY).output == "fine-tuning/new\n"


def test_secret_prefix_is_that_of_the_variable_then_of_the_answers(aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "samconfig.operated.toml").write_text(
        '[default.deploy.parameters]\nparameter_overrides = "SecretPrefix=answered/"\n'
    )
    answering = Operator(aws, tmp_path)
    assert answering.run("secret", "SOURCE=new", given=KEY).output == "answered/new\n"
    assert answering.run("secret", "SOURCE=new", PREFIX, given=KEY).output == "checked/new\n"


def test_nothing_is_stored_without_an_input(operator: Operator, secrets: Any) -> None:
    ctrl_c = operator.make_at_a_terminal("secret", "SOURCE=none", PREFIX, prompt="not echoed): ", typed="\x03")
    assert "\r\nNothing was stored.\r\n" in ctrl_c
    closed = subprocess.run(
        ["sh", "-c", f"exec make --silent secret SOURCE=none {PREFIX} <&-"],
        cwd=ROOT, env=operator.environment, capture_output=True, check=False,
    )  # fmt: skip
    assert closed.returncode == 2
    assert closed.stderr.startswith(b"No key was given.")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId="checked/none")


def test_a_secret_that_is_scheduled_for_deletion_is_restored_first(operator: Operator, secrets: Any) -> None:
    operator.run("secret", "SOURCE=going", PREFIX, given=KEY)
    secrets.delete_secret(SecretId="checked/going")
    printed = operator.run("secret", "SOURCE=going", PREFIX, given=KEY, status=1)
    assert "aws secretsmanager restore-secret --region us-east-1 --secret-id checked/going" in printed.errors
    secrets.restore_secret(SecretId="checked/going")
    operator.run("secret", "SOURCE=going", PREFIX, given=KEY)


@pytest.mark.parametrize("kind", REFUSED)
def test_invalid_secret_is_not_stored(kind: str, operator: Operator, secrets: Any) -> None:
    value, message = REFUSED[kind]
    printed = operator.run("secret", "SOURCE=refused", PREFIX, given=value, status=1)
    assert message in printed.errors
    assert "sk-" not in "".join(printed)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="checked/refused")


def test_refused_value_does_not_replace_the_stored_one(operator: Operator, secrets: Any) -> None:
    operator.run("secret", "SOURCE=kept", PREFIX, given=KEY)
    operator.run("secret", "SOURCE=kept", PREFIX, given=f"'{KEY}-new'", status=1)
    assert secrets.get_secret_value(SecretId="checked/kept")["SecretString"] == KEY


@pytest.mark.parametrize(
    "value", [KEY, "c2lnbmF0dXJl==", r"odd\key%s$(id)", '{\n "api_key": "k",\n "default_headers": {"a": "b\'ü c"}\n}']
)
def test_a_value_is_stored_as_it_is(value: str, operator: Operator, secrets: Any) -> None:
    operator.make("secret", "SOURCE=whole", PREFIX, given=f"\n{value} \n")
    assert secrets.get_secret_value(SecretId="checked/whole")["SecretString"] == value


def test_a_key_is_not_echoed_at_a_terminal(operator: Operator, secrets: Any) -> None:
    # A second line, as of pasted JSON, must not reach the shell after make.
    shown = operator.make_at_a_terminal(
        "secret", "SOURCE=typed", PREFIX, prompt="not echoed): ", typed=f"{KEY}\nnext\n"
    )
    assert "checked/typed" in shown
    assert KEY not in shown
    assert secrets.get_secret_value(SecretId="checked/typed")["SecretString"] == KEY


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at the processes of Linux")
def test_key_is_passed_in_no_argument_or_environment(operator: Operator) -> None:
    with seen_in_processes(KEY.encode()) as seen:
        operator.make("secret", "SOURCE=hidden", PREFIX, given=KEY)
    assert seen.pop("looks") > 10
    assert seen == {}


@contextmanager
def seen_in_processes(text: bytes) -> Iterator[dict[str, int]]:
    """Return how often a text was in arguments and environments of all processes, by file, and the number of checks."""
    seen = {"looks": 0}
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen["looks"] += 1
            for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                with contextlib.suppress(OSError):
                    if text in path.read_bytes():
                        seen[path.name] = seen.get(path.name, 0) + 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@pytest.fixture
def secrets(aws: EmbeddedAws) -> Any:
    return aws.client("secretsmanager")


def test_help_lists_every_target(operator: Operator) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split(": ")[1] for line in makefile.splitlines() if line.startswith(".PHONY: ") and "$" not in line}
    listed = {line.split()[1] for line in operator.make("help").output.splitlines() if line.startswith("  make ")}
    assert targets == listed
