"""The files of answers, in every form that SAM accepts."""

import tomllib
from pathlib import Path

import pytest
from operations.answers import _parameters, _settings
from operations.errors import OperationError
from operations.parameters import differences

VALUES = {"Sources": "default,team-b", "ScheduleExpression": "cron(0 3 * * ? *)", "KmsKeyArn": ""}


@pytest.mark.parametrize(
    "text",
    [
        r'overrides = "Sources=\"default,team-b\" ScheduleExpression=\"cron(0 3 * * ? *)\" KmsKeyArn=\"\""',
        """overrides = ['Sources=default,team-b', 'ScheduleExpression="cron(0 3 * * ? *)"', 'KmsKeyArn=""']""",
        'overrides = { Sources = "default,team-b", ScheduleExpression = "cron(0 3 * * ? *)", KmsKeyArn = "" }',
    ],
)
def test_parameters_are_read_in_every_form(text: str) -> None:
    assert _parameters(tomllib.loads(text)["overrides"]) == VALUES


def test_number_is_read_as_text() -> None:
    assert _parameters({"SnapshotMissingHours": 3}) == {"SnapshotMissingHours": "3"}


def test_file_that_is_not_toml_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.broken.toml"
    file.write_text("[default")
    with pytest.raises(OperationError, match=r"samconfig\.broken\.toml cannot be read .* correct it or delete it"):
        _settings(file)


def test_settings_of_deploy_have_priority_over_global_ones(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.both.toml"
    file.write_text('[default.global.parameters]\nregion = "a"\n[default.deploy.parameters]\nregion = "b"\n')
    assert _settings(file) == {"region": "b"}


def test_only_parameters_that_both_have_differ() -> None:
    assert differences({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "", "D": "4"}) == ["B: 2 -> "]
