"""The template as CloudFormation gets it."""

import yaml

from tests.sandbox.stack import BUILT_TEMPLATE


def test_the_built_template_has_no_aliases() -> None:
    # CloudFormation knows neither aliases nor merges:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    tokens = list(yaml.scan(BUILT_TEMPLATE.read_text()))
    assert not any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in tokens)
    assert "<<" not in [token.value for token in tokens if isinstance(token, yaml.ScalarToken)]
