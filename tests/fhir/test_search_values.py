"""What the values of search parameters say, without a database (FHIR R5 search.html)."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fhir.search import values


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b", [r"a\,b"]),
        (r"a\\,b", [r"a\\", "b"]),
        ("", [""]),
        (",", ["", ""]),
    ],
)
def test_a_backslash_keeps_a_comma_in_the_value(text, parts):
    assert values.split(text, ",") == parts


@pytest.mark.parametrize(("text", "plain"), [(r"a\,b", "a,b"), (r"a\|b", "a|b"), (r"a\\b", r"a\b"), (r"a\b", r"a\b")])
def test_what_is_escaped_stands_for_itself(text, plain):
    assert values.unescape(text) == plain


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("male", values.Token(None, "male")),
        ("|male", values.Token("", "male")),
        ("http://x|male", values.Token("http://x", "male")),
        ("http://x|", values.Token("http://x", "")),
        (r"http://x|a\|b", values.Token("http://x", "a|b")),
        ("http://x|a|b", values.Token("http://x", "a|b")),
    ],
)
def test_a_token_is_a_code_with_or_without_its_system(text, token):
    assert values.token(text) == token


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", utc(2026, 1, 1), utc(2027, 1, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2024-02-29", utc(2024, 2, 29), utc(2024, 3, 1)),
        ("2026-09-01T10:00", utc(2026, 9, 1, 10), utc(2026, 9, 1, 10, 1)),
        ("2026-09-01T10:00:05Z", utc(2026, 9, 1, 10, 0, 5), utc(2026, 9, 1, 10, 0, 6)),
        ("2026-09-01T10:00:05.5+02:00", utc(2026, 9, 1, 8, 0, 5, 500000), utc(2026, 9, 1, 8, 0, 5, 500001)),
        ("2026-09-01T10:00 02:00", utc(2026, 9, 1, 8), utc(2026, 9, 1, 8, 1)),
        ("2026-09-01T10:00-07:00", utc(2026, 9, 1, 17), utc(2026, 9, 1, 17, 1)),
        ("9999", utc(9999, 1, 1), datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_date_covers_what_its_precision_says(text, start, end):
    assert values.moments(text) == values.Range(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-9",
        "2026-02-30",
        "2026-13",
        "0000",
        "2026-09-01T24:00",
        "2026-09-01T10",
        "0001-01-01T00:00+14:00",
    ],
)
def test_a_date_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="date"):
        values.moments(text)


@pytest.mark.parametrize(("text", "found"), [("ge5", ("ge", "5")), ("5", ("eq", "5")), ("sa2026", ("sa", "2026"))])
def test_a_prefix_stands_before_the_value(text, found):
    assert values.prefixed(text) == found


def test_a_prefix_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="prefix"):
        values.prefixed("xx5")


@pytest.mark.parametrize(
    ("text", "value", "margin"),
    [("100", 100, "0.5"), ("100.0", 100, "0.05"), ("1e2", 100, "50"), ("-5.40", "-5.4", "0.005")],
)
def test_a_number_leaves_open_what_its_precision_does(text, value, margin):
    assert values.number(text) == values.Number(Decimal(value), Decimal(margin))


@pytest.mark.parametrize("text", ["", "five", "1e999", "0x5", "--5", "5,0", "٥"])
def test_a_number_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match=r"number|large"):
        values.number(text)


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text):
    for parse in (values.moments, values.number, values.token, values.prefixed):
        with suppress(ValueError):
            assert parse(text) is not None
