"""The values of a secret, valid and not."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot.credentials import PAGING, Credentials, parse
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
        (
            json.dumps({"api_key": KEY, "default_headers": {"api-key": " k\n", "X-Name": "é", "a.b": ""}}),
            Credentials(KEY, URL, default_headers={"api-key": "k", "X-Name": "é", "a.b": ""}),
        ),
        (
            json.dumps({"api_key": KEY, "default_query": {"api-version": "preview", "größe": "a&b=c"}}),
            Credentials(KEY, URL, default_query={"api-version": "preview", "größe": "a&b=c"}),
        ),
        (
            json.dumps({"api_key": KEY, "default_headers": None, "default_query": {}, "paging": None}),
            Credentials(KEY, URL),
        ),
        *((json.dumps({"api_key": KEY, "paging": way}), Credentials(KEY, URL, paging=way)) for way in PAGING),
        (json.dumps({"api_key": KEY, "paging": " page\n"}), Credentials(KEY, URL, paging="page")),
    ],
)
def test_secret_is_read_in_every_form(value: str, expected: Credentials) -> None:
    assert parse("n", value, URL) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "looks like JSON"),
        ("{" * 100_000, "looks like JSON"),
        ('{"api_key": "sk-proj-1"', "looks like JSON"),
        ("{}", "without api_key"),
        ('{"project": "p"}', "without api_key"),
        (json.dumps({"api_key": None}), "without api_key"),
        (json.dumps({"api_key": KEY, "api-base": "x"}), "field other than api_key, base_url, organization, project"),
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


# Keys that were copied with other text around them, or saved in another encoding.
COPIED = {
    "in double quotes": ('"{key}"', "quotation mark"),
    "in single quotes": ("'{key}'", "quotation mark"),
    "in backticks": ("`{key}`", "quotation mark"),
    "in typographic quotes": ("“{key}”", "quotation mark"),
    "in German quotes": ("„{key}“", "quotation mark"),
    "after a quote": ('"{key}', "quotation mark"),
    "before a quote": ("{key}'", "quotation mark"),
    "in escaped quotes": (r"\"{key}\"", "quotation mark"),
    "in an array": ('["{key}"]', "begins with a bracket"),
    "in a section": ("[{key}]", "begins with a bracket"),
    "a shell's line": ("OPENAI_API_KEY={key}", "NAME=value.* only the value after the ="),
    "a shell's line with quotes": ('OPENAI_API_KEY="{key}', "NAME=value"),
    "an exported variable": ("export OPENAI_API_KEY={key}", "NAME=value"),
    "a variable of cmd": ("set K={key}", "NAME=value"),
    "a variable of PowerShell": ("$env:OPENAI_API_KEY={key}", "NAME=value"),
    "a line of TOML": ("api_key = {key}", "NAME=value"),
    "a .env file": ("A=\nOPENAI_API_KEY={key}\nB=2", "NAME=value"),
    "an assignment with padding": ("key={key}==", "NAME=value"),
    "a scheme": ("Bearer {key}", "Authorization header"),
    "a header": ("authorization:bearer {key}", "Authorization header"),
    "a byte order mark": ("\ufeff{key}", "save it as UTF-8"),
    "a byte order mark after white space": ("\n\ufeff{key}", "save it as UTF-8"),
    "UTF-16 with its mark": ("\ufeff{key}\0", "save it as UTF-8"),
    "UTF-16 read as UTF-8": ("s\0k\0{key}", "save it as UTF-8"),
    "UTF-8 read as Latin-1": ("ï»¿{key}", "save it as UTF-8"),
}


@pytest.mark.parametrize("kind", COPIED)
@pytest.mark.parametrize("form", ["bare", "JSON"])
def test_key_copied_with_other_text_is_refused(kind: str, form: str) -> None:
    text, message = COPIED[kind]
    value = text.format(key=KEY)
    with pytest.raises(SecretError, match=f"(?s)secret fine-tuning/a .*{message}") as caught:
        parse("fine-tuning/a", value if form == "bare" else json.dumps({"api_key": f" {value}\n"}), URL)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("field", ["api_key", "organization", "project"])
@pytest.mark.parametrize("value", ['{"api_key":"sk-proj-1"}', '"sk-proj-1"', "[sk-proj-1]", "X=sk-proj-1"])
def test_every_default_header_is_checked(field: str, value: str) -> None:
    with pytest.raises(SecretError, match=f"The {field} in the secret n ") as caught:
        parse("n", json.dumps({"api_key": KEY, field: value}), URL)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Credentials)])
def test_line_break_in_any_field_is_refused(field: str) -> None:
    with pytest.raises(SecretError, match=f"The {field} in the secret n ") as caught:
        parse("n", json.dumps({"api_key": KEY, field: "https://v-secret\r\nX: y"}), URL)
    assert "v-secret" not in str(caught.value)


def test_json_that_was_encoded_twice_is_refused() -> None:
    value = json.dumps(json.dumps({"api_key": KEY}))
    with pytest.raises(SecretError, match="JSON that was encoded twice"):
        parse("n", value, URL)


@pytest.mark.parametrize(
    "key",
    [
        "c2lnbmF0dXJl==",
        "c2lnbmF0dXJlLXNpZw=",
        "_=",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2ln",
        "a/b+c=d",  # not the name of a shell variable
        "sk-or-v1-abc=def",
        "id:secret",
        "bearer-token-1",
        "export",
        "x'y\"z`w",
        "${}",
    ],
)
def test_an_unusual_but_whole_key_is_accepted(key: str) -> None:
    assert parse("n", key, URL) == parse("n", json.dumps({"api_key": key}), URL) == Credentials(key, URL)


NO_NAMES = ("", " authorization", "a b", "a:b", "a\nb", "ä", "a\u200bb", "sk-1234567890 ", "(a)")
OWN_NAMES = ("Authorization", "AUTHORIZATION", "host", "Content-length", "transfer-encoding", "CONNECTION")
NO_VALUES = (
    "v-secret\r\nb: c",
    "v-secret\nb",
    "a\0v-secret",
    "v-secret\u200b",
    "v-secret…",
    "v-secret\tb",
    "\x7fv-secret",
)
NO_OBJECTS = ("v-secret", '{"a": "v-secret"}', ["v-secret"], 5, True, {"a": 5}, {"a": None}, {"a": ["v-secret"]})
NO_PAGINGS: tuple[Any, ...] = ("v-secret", "After", "", "cursor", 1, True, ["page"], {})
BAD_FIELDS: list[tuple[str, Any, str]] = [
    *(("default_headers", {name: "v-secret"}, "a name that is not valid in HTTP") for name in NO_NAMES),
    *(("default_headers", {name: "v-secret"}, "must not hold Authorization, Host") for name in OWN_NAMES),
    *(("default_headers", {"a": value}, "invisible characters, a line break") for value in NO_VALUES),
    *(("default_query", {name: "v-secret"}, "must not hold after or page") for name in ("after", "page")),
    ("default_query", {"": "v-secret"}, "an empty name"),
    ("default_query", {"a": "v-secret\nb"}, "invisible characters or a line break"),
    ("default_query", {"a": "v-secret\ud800"}, "invisible characters or a line break"),
    *(("default_headers", value, "is not an object of strings") for value in NO_OBJECTS),
    *(("default_query", value, "is not an object of strings") for value in NO_OBJECTS),
    *(("paging", value, 'must be "after" .*"page" .*"none"') for value in NO_PAGINGS),
]


@pytest.mark.parametrize(("field", "content", "message"), BAD_FIELDS)
def test_a_bad_field_for_gateways_is_named_and_not_shown(field: str, content: Any, message: str) -> None:
    with pytest.raises(SecretError, match=f"The {field} in the secret n .*{message}") as caught:
        parse("n", json.dumps({"api_key": KEY, field: content}), URL)
    assert "v-secret" not in str(caught.value)
    assert "sk-" not in str(caught.value)


@given(st.text() | st.dictionaries(st.text(), st.none() | st.text() | st.integers()).map(json.dumps))
def test_any_value_gives_credentials_or_a_snapshot_error(value: str) -> None:
    try:
        credentials = parse("n", value, URL)
    except SecretError:
        return
    assert credentials.api_key.isascii()
    assert credentials.api_key.isprintable()


def test_no_secret_is_in_the_representation() -> None:
    shown = repr(Credentials(KEY, URL, default_headers={"api-key": "v-1"}, default_query={"k": "v-2"}))
    assert KEY not in shown
    assert "v-" not in shown


def test_all_fields_may_be_given_and_null_is_absent() -> None:
    given = {"organization": None, "api_key": KEY, "project": "p", "base_url": "https://example.com/X/"}
    objects: dict[str, Any] = {"default_headers": {"X-Name": "\xff"}, "default_query": {"a": "b"}}
    credentials = parse("fine-tuning/a", json.dumps(given | objects | {"paging": "page"}), URL)
    assert credentials == Credentials(KEY, "https://example.com/X", project="p", paging="page", **objects)


def test_organization_and_project_are_independent() -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    assert Credentials(KEY, URL).headers == key
    assert Credentials(KEY, URL, organization="o").headers == key | {"OpenAI-Organization": "o"}
    assert Credentials(KEY, URL, project="p").headers == key | {"OpenAI-Project": "p"}


def test_own_headers_come_after_those_of_the_fields() -> None:
    headers = Credentials(KEY, URL, "org-1", default_headers={"OpenAI-Organization": "org-2", "api-key": "k"}).headers
    assert headers == {"Authorization": f"Bearer {KEY}", "OpenAI-Organization": "org-2", "api-key": "k"}


def test_values_of_headers_and_query_are_secrets_but_a_version_is_not() -> None:
    headers = {"api-key": "secret-1", "X-Auth": "Bearer secret-2"}
    secrets = Credentials(KEY, URL, "org-1", default_headers=headers, default_query={"v": "2025-04-01-preview"}).secrets
    assert secrets == [KEY, "secret-1", "Bearer secret-2", "secret-2"]


def test_only_what_looks_like_a_secret_is_kept_out_of_jobs() -> None:
    """Words of the server, such as a region, are part of ids and fields."""
    query = {
        "order_by": "created_at",
        "include": "fine_tuned_model",
        "vertex_location": "us-central1",
        "m": "gpt-4o-2024",
    }
    headers = {"api-key": "secret-1", "X-Up": "ApiKey abcdef0123", "X-Id": "0123456789abcdef0123456789abcdef"}
    credentials = Credentials(KEY, URL, default_headers=headers, default_query=query)
    assert credentials.data_secrets == [KEY, "secret-1", "ApiKey abcdef0123", headers["X-Id"], "abcdef0123"]


def test_the_fingerprint_of_an_existing_secret_stays() -> None:
    # Existing snapshots have these fingerprints in their metadata: others would lead to full listings everywhere.
    assert Credentials("sk-a", URL).fingerprint == "563d269e9d8f"
    assert Credentials("sk-a", URL, "org-1", "proj_1").fingerprint == "c44cd69698c0"


def test_paging_does_not_change_the_fingerprint() -> None:
    assert Credentials(KEY, URL, paging="none").fingerprint == Credentials(KEY, URL).fingerprint


def test_the_order_of_headers_does_not_change_the_fingerprint() -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert (
        Credentials(KEY, URL, default_headers=one).fingerprint
        == Credentials(KEY, URL, default_headers=other).fingerprint
    )


def test_the_fingerprint_changes_with_each_part() -> None:
    fingerprints = [
        Credentials(KEY, URL).fingerprint,
        Credentials(KEY + "x", URL).fingerprint,
        Credentials(KEY, URL + "x").fingerprint,
        Credentials(KEY, URL, organization="o").fingerprint,
        Credentials(KEY, URL, project="o").fingerprint,
        Credentials(KEY, URL, default_headers={"a": "b"}).fingerprint,
        Credentials(KEY, URL, default_headers={"a": "c"}).fingerprint,
        Credentials(KEY, URL, default_query={"a": "b"}).fingerprint,
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert all(len(fingerprint) == 12 and int(fingerprint, 16) >= 0 for fingerprint in fingerprints)
