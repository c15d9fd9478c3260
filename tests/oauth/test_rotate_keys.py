"""`manage.py rotate_keys`, as an administrator uses it."""

import json
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.models import SigningKey
from core.oauth import keys

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def freshly_read() -> Iterator[None]:
    yield
    keys.look_again()


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def states(*arguments: str) -> list[tuple[str, str]]:
    return [(key["algorithm"], key["state"]) for key in json.loads(said(*arguments, "--json"))]


def test_listing_changes_nothing() -> None:
    assert states("--list") == [("RS256", "signing")]
    assert not SigningKey.objects.exists()


def test_a_rotation_says_which_key_signs_and_which_is_next() -> None:
    assert states() == [("RS256", "next"), ("RS256", "signing")]
    assert states("--algorithm", "ES256") == [("ES256", "next"), ("RS256", "next"), ("RS256", "signing")]


def test_a_leaked_key_has_ended() -> None:
    assert states("--now") == [("RS256", "signing"), ("RS256", "ended")]


def test_the_table_is_for_people() -> None:
    head, *rows = said().splitlines()
    assert head.split() == ["kid", "algorithm", "state", "active_from", "verify_until"]
    assert [row.split()[2] for row in rows] == ["next", "signing"]


def test_a_key_that_this_secret_key_cannot_open_is_said_to_be_unreadable(settings) -> None:
    said("--now")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    assert states("--list") == [("RS256", "unreadable"), ("RS256", "ended")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--overlap", "1m"), "at least 15 minutes"),
        (("--overlap", "soon"), "write it as 30m, 2h or 1d"),
        (("--overlap", "-1h"), "expected one argument"),
        (("--algorithm", "HS256"), "invalid choice"),
        (("--algorithm", "none"), "invalid choice"),
    ],
)
def test_what_would_not_be_safe_is_refused(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        said(*arguments)
    assert not SigningKey.objects.exists()
