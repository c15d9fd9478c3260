"""Profiles: their names, what they remember, and that no exchange gets the login of another."""

import stat
from pathlib import Path

import pytest

from core.policy.errors import InvalidInput
from mcp_server.auth.profiles import DEFAULT, Profiles, check_name, key_of, of_key

LAB, OTHER = "https://lab.example.org/mcp", "https://other.example/mcp"


async def test_a_profile_remembers_its_exchange_in_a_file_for_the_owner_only(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path / "config")
    assert profiles.names() == []
    await profiles.remember("lab", LAB)
    await profiles.remember("clinic", OTHER)
    assert Profiles(tmp_path / "config").names() == ["clinic", "lab"]
    assert Profiles(tmp_path / "config").url_of("lab") == LAB
    file = tmp_path / "config" / "profiles.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_the_default_profile_is_for_whatever_exchange_is_named(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path)
    await profiles.remember(DEFAULT, LAB)
    (tmp_path / "profiles.json").write_text(f'{{"default": {{"url": "{LAB}"}}}}')
    assert profiles.url_of(DEFAULT) is None


async def test_a_profile_can_move(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path)
    await profiles.remember("lab", LAB)
    await profiles.remember("lab", OTHER)
    assert profiles.url_of("lab") == OTHER


@pytest.mark.parametrize("content", ["", "[]", '{"lab": 1}', '{"lab": {"url": 1}}', '{"lab": {}}'])
def test_a_damaged_file_remembers_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "profiles.json").write_text(content)
    assert Profiles(tmp_path).url_of("lab") is None
    assert Profiles(tmp_path).names() == []


@pytest.mark.parametrize("name", ["lab", "Lab-2", "a", "x" * 32, "st.mary_s"])
def test_names_of_letters_digits_dots_dashes_and_underscores_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "two words", "../lab", "-lab", "x" * 33, "lab\n", "lab/x", "\x1b[2J", "läb"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="A profile's name is"):
        check_name(name)


def test_a_login_is_found_by_profile_and_address_together() -> None:
    keys = {key_of(name, url) for name in (DEFAULT, "lab", "clinic") for url in (LAB, OTHER)}
    assert len(keys) == 6
    assert {of_key(key) for key in keys} == {(name, url) for name in (DEFAULT, "lab", "clinic") for url in (LAB, OTHER)}
    assert key_of(DEFAULT, LAB) == LAB
