"""Passwords are hashed well, and not too many at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import argon2
import pytest
from django.utils.module_loading import import_string

from core.passwords import AT_ONCE, BoundedArgon2PasswordHasher
from jhe import settings as production

SALT = BoundedArgon2PasswordHasher().salt()


class Counting:
    """Stands before a function and counts how many are in it at once; they leave AT_ONCE together."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.lock = Lock()
        self.full = Barrier(AT_ONCE, timeout=60)
        self.inside = self.most = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            self.full.wait()
            return self.function(*args, **kwargs)
        finally:
            with self.lock:
                self.inside -= 1


def test_production_hashes_passwords_this_way() -> None:
    assert import_string(production.PASSWORD_HASHERS[0]) is BoundedArgon2PasswordHasher


def test_a_password_is_verified_and_another_is_refused() -> None:
    hasher = BoundedArgon2PasswordHasher()
    encoded = hasher.encode("Jhe1234!", SALT)
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in encoded
    assert hasher.verify("Jhe1234!", encoded)
    assert not hasher.verify("jhe1234!", encoded)
    assert not hasher.must_update(encoded)


def test_many_logins_at_once_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, tries = BoundedArgon2PasswordHasher(), 3 * AT_ONCE
    encoded = hasher.encode("Jhe1234!", SALT)
    hashing = Counting(argon2.low_level.hash_secret)
    monkeypatch.setattr(argon2.low_level, "hash_secret", hashing)
    with ThreadPoolExecutor(tries) as people:
        assert set(people.map(hasher.encode, ["Jhe1234!"] * tries, [SALT] * tries)) == {encoded}
    assert hashing.most == AT_ONCE


def test_passwords_and_guesses_take_the_same_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, tries = BoundedArgon2PasswordHasher(), 3 * AT_ONCE
    encoded = hasher.encode("Jhe1234!", SALT)
    checking = Counting(argon2.PasswordHasher().verify)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda _, *pair: checking(*pair))
    with ThreadPoolExecutor(tries) as people:
        assert all(people.map(hasher.verify, ["Jhe1234!"] * tries, [encoded] * tries))
    assert checking.most == AT_ONCE
