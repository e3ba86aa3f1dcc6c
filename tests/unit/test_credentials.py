"""The secret's value, good and bad."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot.credentials import Credentials, parse
from snapshot.errors import SecretError

URL = "https://api.openai.com/v1"
KEY = "sk-proj-Abc_123"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (KEY, Credentials(KEY, URL)),
        (f"  {KEY}\r\n", Credentials(KEY, URL)),
        (json.dumps({"api_key": f" {KEY}\n"}), Credentials(KEY, URL)),
        (json.dumps({"api_key": KEY, "organization": None, "base_url": None}), Credentials(KEY, URL)),
        (
            json.dumps({"api_key": KEY, "organization": "org-1", "project": "proj_1", "base_url": "https://x.y/v1/"}),
            Credentials(KEY, "https://x.y/v1", "org-1", "proj_1"),
        ),
    ],
)
def test_secrets(value: str, expected: Credentials) -> None:
    assert parse("n", value, URL) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "begins like JSON"),
        ("{" * 100_000, "begins like JSON"),
        ("{}", "without api_key"),
        ('{"project": "p"}', "without api_key"),
        (json.dumps({"api_key": None}), "without api_key"),
        (json.dumps({"api_key": KEY, "api-base": "x"}), "field other than api_key, organization, project, base_url"),
        (json.dumps({"api_key": 5}), "api_key in the secret fine-tuning/a is not a string"),
        (json.dumps({"api_key": ""}), "api_key in the secret fine-tuning/a is empty"),
        (json.dumps({"api_key": KEY, "project": "a b"}), "project in the secret"),
        (
            json.dumps({"api_key": KEY, "base_url": "http://x.y"}),
            "base_url in the secret fine-tuning/a must begin with",
        ),
        ("sk-\nproj-1", "white space"),
        ("sk-\u200bproj-1", "invisible"),
        ("﻿sk-proj-1", "invisible"),
        ("sk-pröj-1", "non-ASCII"),
    ],
)
def test_bad_secrets_are_named_and_not_shown(value: str, message: str) -> None:
    with pytest.raises(SecretError, match=message) as caught:
        parse("fine-tuning/a", value, URL)
    assert "fine-tuning/a" in str(caught.value)
    assert "proj-1" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text() | st.dictionaries(st.text(), st.none() | st.text() | st.integers()).map(json.dumps))
def test_any_value_gives_credentials_or_an_error_of_ours(value: str) -> None:
    try:
        credentials = parse("n", value, URL)
    except SecretError:
        return
    assert credentials.api_key.isascii()
    assert credentials.api_key.isprintable()


def test_the_key_is_not_in_the_representation() -> None:
    assert KEY not in repr(Credentials(KEY, URL))


def test_the_fingerprint_changes_with_each_part() -> None:
    fingerprints = [
        Credentials(KEY, URL).fingerprint,
        Credentials(KEY + "x", URL).fingerprint,
        Credentials(KEY, URL + "x").fingerprint,
        Credentials(KEY, URL, organization="o").fingerprint,
        Credentials(KEY, URL, project="o").fingerprint,
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert all(len(fingerprint) == 12 and int(fingerprint, 16) >= 0 for fingerprint in fingerprints)
