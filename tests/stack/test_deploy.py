"""`make deploy` against the embedded AWS: first and later deployments, and those that are refused."""

import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import boto3
import pytest
from operations import deploy, parameters
from operations.errors import OperationError
from operations.stack import Stack, Target, describe

from tests.make import Printed
from tests.sandbox.aws import ROOT, EmbeddedAws
from tests.stack.operator import Operator, until

FILE = "samconfig.team.toml"
DEPLOYED = "The stack team in us-east-1 is deployed.\n"
UNCHANGED = "Nothing changes: the stack team in us-east-1 is up to date.\n"


def typed(**values: str) -> str:
    """Return what is typed at the prompts for the parameters: these values, and Enter for the others."""
    return "".join(f"{values.get(name, '')}\n" for name in parameters.defined())


def answers(operator: Operator, stack: str = "team") -> dict[str, str]:
    """Return the parameters in the operator's file for a stack."""
    settings = tomllib.loads((operator.folder / f"samconfig.{stack}.toml").read_text())
    overrides: dict[str, str] = settings["default"]["deploy"]["parameters"]["parameter_overrides"]
    return overrides


def edit(operator: Operator, stack: str = "team", **values: str) -> None:
    """Change answers in the file, as with an editor."""
    file = operator.folder / f"samconfig.{stack}.toml"
    text = file.read_text()
    for name, value in values.items():
        line = f'{name} = "{answers(operator, stack)[name]}"\n'
        assert line in text
        text = text.replace(line, f'{name} = "{value}"\n')
    file.write_text(text)


def files(operator: Operator) -> list[str]:
    """Return the names of all files of answers, including incomplete ones."""
    return sorted(path.name for path in operator.folder.glob("samconfig*"))


def resources(aws: EmbeddedAws) -> set[str]:
    """Return the logical ids of the team's stack."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="team")
    return {resource["LogicalResourceId"] for page in pages for resource in page["StackResourceSummaries"]}


@pytest.fixture(scope="module")
def operator(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator without a stack, whose files of answers only these tests share."""
    return Operator(aws, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(operator: Operator) -> Printed:
    """The output of a first deployment with two typing errors."""
    given = typed(Sources="one two\ndefault,team-b", ScheduleState="OFF\nDISABLED", NotificationEmail="a@example.com")
    return operator.make("deploy", given="team\n" + given)


@pytest.fixture
def colleague(aws: EmbeddedAws, first: Printed, tmp_path: Path) -> Operator:
    """An operator with a fresh clone, for whom the stack exists already."""
    assert first.output == DEPLOYED
    return Operator(aws, tmp_path)


@pytest.fixture
def prepared(colleague: Operator, target: Target) -> Operator:
    """A colleague whose file has the parameters of the deployed stack."""
    with colleague.in_this_process():
        deploy._prepare_answers(target, describe(target))
    return colleague


@pytest.fixture
def target(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The team's stack, for functions that are called in this process."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Target("team", boto3.Session(), None)


# --- First deployment ---


def test_first_deployment_asks_and_keeps_the_answers(first: Printed, operator: Operator) -> None:
    assert first.output == DEPLOYED
    assert "Sources: 'one two' is not valid: each source must be" in first.errors
    assert "ScheduleState: 'OFF' is not valid: must be one of ENABLED, DISABLED." in first.errors
    assert files(operator) == [FILE]
    defaults = {name: str(definition["Default"]) for name, definition in parameters.defined().items()}
    chosen = {"Sources": "default,team-b", "ScheduleState": "DISABLED", "NotificationEmail": "a@example.com"}
    assert answers(operator) == defaults | chosen


def test_name_and_region_are_asked_for_where_nothing_names_them(aws: EmbeddedAws, tmp_path: Path) -> None:
    newcomer = Operator(aws, tmp_path)
    printed = newcomer.run("deploy", given="us-east-1\nmine\n", status=1, AWS_DEFAULT_REGION="")
    assert printed.output == ""
    assert "The stack mine in us-east-1 is new." in printed.errors
    assert "The stack mine in us-east-1 is new." in newcomer.run("deploy", given="mine\n", status=1).errors
    assert "'a_b' is not a valid stack name" in newcomer.run("deploy", given="a_b\n", status=1).errors


def test_interrupted_prompts_keep_no_answers(operator: Operator) -> None:
    printed = operator.run("deploy", "STACK=unfinished", given="default\n", status=1)
    assert "No answer on standard input: nothing was changed." in printed.errors
    assert "samconfig.unfinished.toml" not in files(operator)


def test_answers_written_by_another_deploy_are_kept(operator: Operator) -> None:
    with subprocess.Popen(
        ["make", "--silent", "deploy", "STACK=twice"],
        cwd=ROOT,
        env=operator.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stderr
        until(process.stderr, "Sources [default]:")
        file = operator.folder / "samconfig.twice.toml"
        file.write_text("the other's")
        process.stdin.write(typed().encode())
        process.stdin.close()
        assert b"Another `make deploy` has written samconfig.twice.toml meanwhile" in process.stderr.read()
    assert process.returncode == 2
    assert file.read_text() == "the other's"
    file.unlink()
    assert "samconfig.twice" not in "".join(files(operator))


def test_failed_first_deployment_can_be_repeated(aws: EmbeddedAws, tmp_path: Path) -> None:
    operator = Operator(aws, tmp_path)
    before = aws.buckets()
    given = typed(ScheduleExpression="cron(0 12 * *)", ScheduleState="DISABLED")
    reason = "Invalid Schedule Expression cron(0 12 * *)."
    failed = operator.run("deploy", "STACK=mended", given=given, status=1)
    assert failed.output == ""
    assert f"{reason}\nIf a parameter is wrong, correct it in samconfig.mended.toml." in failed.errors
    assert {name for name in aws.buckets() - before if name.startswith("mended")} == set()

    edit(operator, "mended", ScheduleExpression="cron(0 12 * * ? *)")
    refused = operator.run("deploy", status=1).errors
    assert reason in refused
    assert "The stack is in ROLLBACK_COMPLETE and can only be deleted." in refused
    assert "set CONFIRM=yes" in refused
    assert operator.run("deploy", "CONFIRM=yes").output == "The stack mended in us-east-1 is deployed.\n"


# --- Several operators, several stacks ---


def test_fresh_clone_deploys_what_the_stack_has(colleague: Operator, operator: Operator) -> None:
    colleague.environment |= {"AWS_DEFAULT_REGION": "", "AWS_REGION": "us-east-1", "SAM_TEMPLATE_FILE": "/no/such.yaml"}
    printed = colleague.make("deploy", "STACK=team")
    assert printed.output == UNCHANGED
    assert f"The stack team in us-east-1 exists: its parameters are now in {FILE}." in printed.errors
    assert answers(colleague) == answers(operator)
    logs = colleague.run("logs", AWS_DEFAULT_REGION="eu-west-1")  # the file has the region
    assert logs.errors.startswith("Nothing was logged")


def test_file_of_version_1_is_taken_over(colleague: Operator) -> None:
    # The form that SAM writes: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    (colleague.folder / "samconfig.local.toml").write_text(
        (ROOT / "samconfig.toml").read_text().replace('"fine-tuning-snapshots"', '"team"')
        + 'region = "us-east-1"\n'
        + r'parameter_overrides = "Sources=\"default,team-b\" ScheduleState=\"DISABLED\" KmsKeyArn=\"\""'
    )
    printed = colleague.run("logs", AWS_DEFAULT_REGION="eu-west-1")  # the region of the file has priority
    assert f"Your answers have moved from samconfig.local.toml to {FILE}:" in printed.errors
    assert "Nothing was logged" in printed.errors
    assert files(colleague) == [FILE]


def test_name_of_version_1_s_file_is_no_stack_s(colleague: Operator, operator: Operator) -> None:
    old, new = colleague.folder / "samconfig.local.toml", colleague.folder / FILE
    old.write_text((operator.folder / FILE).read_text())
    new.write_text("the newer one")
    errors = colleague.run("deploy", status=1).errors
    assert errors.startswith(f"samconfig.local.toml and {FILE} are both for the stack team: delete the older one.\n")
    assert new.read_text() == "the newer one"
    new.unlink()
    old.write_text('[default.global.parameters]\nstack_name = "local"\n')  # with its own name
    assert colleague.run("logs", status=1).errors.startswith("There is no stack local in us-east-1.")
    assert files(colleague) == ["samconfig.local.toml"]


def test_settings_in_the_file_count(colleague: Operator) -> None:
    def error_of(line: str, target: str = "deploy") -> str:
        (colleague.folder / FILE).write_text(f"[default.deploy.parameters]\n{line}\n")
        return colleague.run(target, status=1).errors

    assert error_of('parameter_overrides = "Sources"').startswith(f"{FILE}: parameter_overrides cannot be read (")
    assert "The config profile (nobody) could not be found" in error_of('profile = "nobody"', "status")
    assert "There is no stack team in eu-west-1." in error_of('region = "eu-west-1"', "status")
    from_sam = error_of("")
    assert "'version' key is not present" in from_sam
    assert f"\nIf a parameter is wrong, correct it in {FILE}. Then run `make deploy` again.\n" in from_sam


def test_removal_is_shown_and_confirmed(prepared: Operator, aws: EmbeddedAws) -> None:
    edit(prepared, Sources="default", NotificationEmail="b@example.com")
    refused = prepared.run("deploy", status=1)
    assert (
        f"{FILE} differs from the deployed stack. This deployment changes\n  Sources: default,team-b -> default\n"
        in (refused.errors)
    )
    assert "  removes AWS::Scheduler::Schedule RegularListingteamb\n" in refused.errors
    assert "  removes AWS::CloudWatch::Alarm JobStuckteamb\n" in refused.errors
    assert "  replaces AWS::SNS::Subscription Subscription\n" in refused.errors
    assert "There is no terminal to confirm at: set CONFIRM=yes. Nothing was changed." in refused.errors
    assert "RegularListingteamb" in resources(aws)
    summaries = aws.client("cloudformation").list_change_sets(StackName="team")["Summaries"]
    assert [summary for summary in summaries if summary["ExecutionStatus"] == "AVAILABLE"] == []

    shown = prepared.make_at_a_terminal("deploy", prompt="Deploy it? [y/N]", typed="y\n")
    assert DEPLOYED.strip() in shown
    assert "RegularListingteamb" not in resources(aws)


def test_addition_needs_no_confirmation(prepared: Operator, aws: EmbeddedAws) -> None:
    edit(prepared, Sources=answers(prepared)["Sources"] + ",added", SnapshotMissingHours="3")
    assert prepared.run("deploy").output == DEPLOYED
    assert "RegularListingadded" in resources(aws)


def test_file_of_a_killed_deploy_is_ignored_by_git_and_removed_by_the_next_one(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    operator = Operator(aws, tmp_path)
    half_made, of_another_stack = "samconfig.killed.toml.12345", "samconfig.killed2.toml.12345"
    ignored = (ROOT / ".gitignore").read_text().split()
    for name in (half_made, of_another_stack):
        (operator.folder / name).write_text("half")
        assert any(fnmatch(f"/{name}", pattern) for pattern in ignored)
    assert "is new" in operator.run("deploy", "STACK=killed", status=1).errors
    assert files(operator) == [of_another_stack]


def test_several_stacks_need_a_name(operator: Operator, first: Printed, tmp_path: Path, aws: EmbeddedAws) -> None:
    assert first.output == DEPLOYED
    several = Operator(aws, tmp_path)
    for stack in ("team", "other"):
        (several.folder / f"samconfig.{stack}.toml").write_text((operator.folder / FILE).read_text())
    errors = several.run("deploy", status=1).errors
    assert "Choose a stack: `make … STACK=other`. There are answers for other, team." in errors


def test_change_set_of_a_stopped_deploy_is_no_stack(aws: EmbeddedAws, operator: Operator) -> None:
    aws.client("cloudformation").create_change_set(
        StackName="reviewed",
        ChangeSetName="stopped",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="reviewed")["Stacks"]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    printed = operator.run("deploy", "STACK=reviewed", status=1)
    assert "The stack reviewed in us-east-1 is new." in printed.errors


# --- Refused deployments ---


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Sources": "team-a,b,team_a"}, "Sources: team-a and team_a differ in '-' or '_' only"),
        ({"Sources": ""}, "Sources: '' is not valid: each source must be 1 to 64 letters"),
        ({"SnapshotMissingHours": "169"}, "SnapshotMissingHours: '169' is not valid: must be 1 to 168 hours."),
        ({"SnapshotMissingHours": "0"}, "SnapshotMissingHours: '0' is not valid: must be 1 to 168 hours."),
        ({"NotificationEmail": "a@b.c d"}, "NotificationEmail: 'a@b.c d' is not valid: must be an e-mail address"),
        ({"JobStuckSeconds": "a day"}, "JobStuckSeconds: 'a day' is not valid: must be 60 seconds or more."),
        ({"ScheduleState": "enabled"}, "ScheduleState: 'enabled' is not valid: must be one of ENABLED, DISABLED."),
        ({"Source": "default"}, "Source: there is no such parameter, only Sources, SecretPrefix, "),
    ],
)
def test_wrong_parameter_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(OperationError) as refused:
        parameters.check(values)
    assert str(refused.value).startswith(message)


def test_defaults_and_lists_are_accepted() -> None:
    parameters.check({name: str(definition["Default"]) for name, definition in parameters.defined().items()})
    parameters.check({"Sources": "a, b", "NotifyStatuses": "", "ShutdownNearDays": "0", "JobStuckSeconds": "60"})


def test_longest_name_of_a_stack_has_34_characters() -> None:
    deploy._check_name("a" * 34)
    with pytest.raises(OperationError, match="at most 34 characters"):
        deploy._check_name("a" * 35)


def test_wrong_parameter_names_the_file_to_mend(prepared: Operator) -> None:
    edit(prepared, Sources="team-a,team_a")
    assert f"give each one its own stack.\nCorrect it in {FILE}.\n" in prepared.run("deploy", status=1).errors


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        (("STACK=a_b",), {}, "'a_b' is not a valid stack name: use letters, digits and hyphens, a letter first."),
        ((f"STACK={'a' * 35}",), {}, "is too long: a stack's name has at most 34 characters."),
        (("STACK=foreign",), {}, "The stack foreign in us-east-1 belongs to another project: choose another name."),
        ((), {"AWS_ACCESS_KEY_ID": "AKIAOFNOBODY"}, "AWS refuses the credentials (The security token"),
        (
            (),
            {"AWS_PROFILE": "nobody"},
            "The config profile (nobody) could not be found). Set them with `aws configure`",
        ),
        ((), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "There are no valid AWS credentials"),
        ((), {"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "AWS cannot be reached: Could not connect to the endpoint"),
        ((), {"AWS_DEFAULT_REGION": ""}, "AWS region [us-east-1]:"),
    ],
)
def test_obstacle_is_reported_in_one_sentence(
    words: tuple[str, ...], environment: dict[str, str], message: str, aws: EmbeddedAws, tmp_path: Path, foreign: str
) -> None:
    stranger = Operator(aws, tmp_path)
    at_once = {"AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    errors = stranger.run("deploy", *words, status=1, **at_once, **environment).errors
    assert message in errors
    assert "Traceback" not in errors
    assert files(stranger) == []
    assert foreign


@pytest.fixture(scope="module")
def foreign(aws: EmbeddedAws) -> str:
    """A stack of another project."""
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    stack_id: str = aws.client("cloudformation").create_stack(StackName="foreign", TemplateBody=template)["StackId"]
    return stack_id


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_IN_PROGRESS", "Another deployment of team in us-east-1 is in progress (UPDATE_IN_PROGRESS): wait"),
        (
            "UPDATE_ROLLBACK_FAILED",
            "run `aws cloudformation continue-update-rollback --region us-east-1 --stack-name team`, wait",
        ),
        ("UPDATE_FAILED", "run `aws cloudformation rollback-stack --region us-east-1 --stack-name team`, wait"),
        ("DELETE_FAILED", "run `aws cloudformation delete-stack --region us-east-1 --stack-name team`, wait"),
    ],
)
def test_stack_that_cannot_be_updated_is_left_alone(status: str, message: str, target: Target, first: Printed) -> None:
    assert first.output == DEPLOYED
    stack = Stack("team", target.session, status, {}, {"Sources": "default", "SecretPrefix": "fine-tuning/"})
    with pytest.raises(OperationError) as refused:
        deploy._check_usable(target, stack)
    assert message in str(refused.value)
