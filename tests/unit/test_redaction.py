"""The removal of secrets from texts of the API, in every form in which they may be echoed."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from snapshot.api.redaction import redacted, without_secrets

# The forms of this secret differ from the start, so that the pattern of one does not find another.
SECRET = "é\"'/ &\\<0123456789abcdef"
FORMS = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in a form": quote_plus(SECRET),
    "in HTML": html.escape(SECRET),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
}
IN_TEXTS = FORMS | {
    "in JSON": json.dumps(SECRET)[1:-1],
    "in Python": repr(SECRET)[1:-1],
    "in Latin-1 read as UTF-8": SECRET.encode("latin-1").decode("utf-8", "replace"),
    "in capitals": SECRET.upper(),
    "in a URL, with small digits": quote(SECRET, safe="").lower(),
}
IN_RESPONSES = FORMS | {
    "in JSON": json.dumps(SECRET)[1:-1],
    "in JSON, not in ASCII": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "in JSON with escaped slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "in a form with escaped slashes": SECRET.replace("/", "\\/"),
}


def test_forms_differ() -> None:
    for forms in (IN_TEXTS, IN_RESPONSES):
        assert len({*forms.values()}) == len(forms)


@pytest.mark.parametrize("form", IN_TEXTS)
def test_a_secret_is_found_in_a_text_however_it_is_written(form: str) -> None:
    assert redacted(f"a {IN_TEXTS[form]} b", [SECRET]) == "a [redacted] b"
    assert redacted(bytearray(f"a {IN_TEXTS[form]} b".encode()), [SECRET]) == "a [redacted] b"


@pytest.mark.parametrize("form", IN_RESPONSES)
def test_a_secret_is_found_in_a_response_however_it_is_written(form: str) -> None:
    assert without_secrets(bytearray(f"a {IN_RESPONSES[form]} b".encode()), [SECRET]) == b"a [redacted] b"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_a_secret_is_found_in_a_response_in_every_encoding_of_json(encoding: str) -> None:
    content = without_secrets(bytearray(f'["{SECRET}", "ö"]'.encode(encoding)), [SECRET])
    assert content.decode("utf-8-sig") == '["[redacted]", "ö"]'


def test_response_with_invalid_characters_is_searched_too() -> None:
    content = without_secrets(bytearray(f'["{SECRET}"]'.encode("utf-16-le") + b"x"), [SECRET])
    assert content.decode() == '["[redacted]"]\ufffd'


def test_a_secret_is_found_in_a_response_though_plain_characters_are_escaped() -> None:
    escaped = "".join(f"\\u{ord(character):04X}" for character in "0123456789abcdef")
    assert without_secrets(bytearray(escaped.encode()), ["0123456789abcdef"]) == b"[redacted]"
    # Characters that JSON must escape, and an escaped backslash, do not change.
    untouched = rb"\u0022 \u005c \u005C \u00e9 \u0009 \\u0041"
    assert without_secrets(bytearray(untouched), []) == untouched


@pytest.mark.parametrize("hidden", [f"{SECRET[:8]}...cdef", "abcd****wxyz", "**", "x**", "sk-1", "(sk-proj-AbC_123)"])
def test_a_shortened_or_masked_key_is_hidden(hidden: str) -> None:
    shown = redacted(f"a {hidden} b", [SECRET])
    assert shown.replace("(", "") == "a [redacted] b"


def test_secret_that_begins_like_another_is_removed_completely() -> None:
    secrets = ["abcdefgh", "abcdefgh 01234567", "abcdefgh 01"]
    assert redacted("a abcdefgh 01234567 b", secrets) == "a [redacted] b"
    assert without_secrets(bytearray(b"a abcdefgh 01234567 b"), secrets) == b"a [redacted] b"


def test_secret_within_another_is_removed_with_it() -> None:
    secrets = ["zzzzzzzz", "abc:zzzzzzzz"]
    assert redacted("a abc:zzzzzzzz b", secrets) == "a [redacted] b"
    assert without_secrets(bytearray(b"a abc:zzzzzzzz b"), secrets) == b"a [redacted] b"


def test_form_that_begins_like_another_is_removed_completely() -> None:
    assert redacted(r"a abcdefgh\\ b", ["abcdefgh\\"]) == "a [redacted] b"  # with its backslash doubled


def test_a_secret_of_any_alphabet_is_found() -> None:
    assert redacted("a ключ-0123 b", ["ключ-0123"]) == "a [redacted] b"


def test_secret_of_seven_characters_is_not_searched_for() -> None:
    assert redacted("a 1234567 12345678 b", ["1234567", "12345678"]) == "a 1234567 [redacted] b"
    assert without_secrets(bytearray(b"1234567 12345678"), ["1234567", "12345678"]) == b"1234567 [redacted]"


def test_a_text_is_cut_after_its_secrets_are_hidden() -> None:
    assert redacted("x" * 400, []) == "x" * 400
    assert redacted("x" * 401, []) == "x" * 400 + "…"
    assert redacted("abcdef", [], 5) == "abcde…"
    assert redacted(f"{'x' * 395} {SECRET}", [SECRET]) == f"{'x' * 395} [red…"
    assert redacted(f"{' ' * (1 << 16)}x", []) == ""  # only this much is searched


def test_invalid_unicode_can_be_shown() -> None:
    assert redacted("a\ud800b\n c", []) == "a?b c"
    assert redacted(bytearray(b"a\xffb"), []) == "a\ufffdb"
