"""What an MCP token looks like, and what cannot be one."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.policy.mcp_tokens import ALPHABET, PREFIX, is_well_formed, new_token, token_hash


def test_a_new_token_is_well_formed_and_never_the_same_twice() -> None:
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(is_well_formed(token) for token in tokens)
    assert all(re.fullmatch(r"jhe_pat_[A-Za-z0-9]{46}", token) for token in tokens)


def test_a_token_of_before_is_well_formed_for_ever() -> None:
    """Somebody keeps it: neither format nor checksum may change under them."""
    assert is_well_formed(PREFIX + "0" * 40 + "2BndIU")


@given(st.integers(0, 45), st.sampled_from(ALPHABET))
def test_a_token_with_one_letter_mistyped_is_none(place: int, letter: str) -> None:
    token = new_token()
    at = len(PREFIX) + place
    mistyped = token[:at] + letter + token[at + 1 :]
    assert is_well_formed(mistyped) is (mistyped == token)


@pytest.mark.parametrize(
    "of",
    [
        lambda _: "",
        lambda _: PREFIX,
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.upper(),
        lambda token: token.removeprefix(PREFIX),
        lambda token: token.replace("jhe_pat_", "jhe_pet_"),
        lambda token: token[:10] + "é" + token[11:],
        lambda token: token[:10] + "\N{FULLWIDTH DIGIT ONE}" + token[11:],
        lambda token: token[:10] + "\ud800" + token[11:],
        lambda token: token[:10] + "\0" + token[11:],
        lambda token: token * 1_000,
    ],
)
def test_what_is_not_a_token_is_told_at_once(of: Callable[[str], str]) -> None:
    assert not is_well_formed(of(new_token()))


def test_the_hash_is_sha_256_and_holds_nothing_of_the_token() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    token = new_token()
    assert token[len(PREFIX) : len(PREFIX) + 8] not in token_hash(token)
