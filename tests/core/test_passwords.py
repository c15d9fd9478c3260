"""Passwords are hashed well, and not too many at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import argon2
import pytest
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.utils.module_loading import import_string

from core.models import User
from core.passwords import AT_ONCE, BoundedArgon2PasswordHasher, MachineSecretHasher
from jhe import settings as production
from tests.factories import UserFactory

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


def test_a_machines_secret_is_kept_under_a_key_and_another_is_refused(settings) -> None:
    hasher = MachineSecretHasher()
    kept = hasher.encode("a secret", hasher.salt())
    assert "a secret" not in kept
    assert hasher.verify("a secret", kept)
    assert not hasher.verify("A secret", kept)
    assert kept != hasher.encode("a secret", hasher.salt())
    settings.SECRET_KEY = "another"
    assert not hasher.verify("a secret", kept)


def test_a_machines_secret_is_known_under_a_former_key_and_is_to_be_kept_anew(settings) -> None:
    hasher = MachineSecretHasher()
    kept = hasher.encode("a secret", hasher.salt())
    assert not hasher.must_update(kept)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert hasher.verify("a secret", kept)
    assert hasher.must_update(kept)


def test_passwords_of_people_are_never_kept_as_secrets_of_machines_are() -> None:
    assert make_password("Jhe1234!").partition("$")[0] != MachineSecretHasher.algorithm
    assert production.PASSWORD_HASHERS.index("core.passwords.MachineSecretHasher") > 0


def test_no_account_can_have_a_password_that_is_kept_that_way(db: None) -> None:
    user = UserFactory()
    with pytest.raises(IntegrityError, match="user_password_is_hashed_slowly"):
        User.objects.filter(pk=user.pk).update(password=make_password("Jhe1234!", hasher="machine_hmac_sha256"))
