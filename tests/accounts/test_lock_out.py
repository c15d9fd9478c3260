"""Who guesses too often is locked out, whether the account exists or not."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from axes.models import AccessAttempt
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from core.actions.sign_up import make_sign_up_code
from core.models import User
from tests.accounts.people import MARY, NOBODY, PASSWORD, is_logged_in, log_in, person
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LIMIT = 5


def fail(email: str = MARY, times: int = LIMIT, **more: Any) -> list[int]:
    return [log_in(Client(), email, "wrong", **more).status_code for _ in range(times)]


def test_the_fifth_failure_locks_and_the_right_password_helps_no_more() -> None:
    person()
    assert fail() == [200, 200, 200, 200, 429]
    client = Client()
    answer = log_in(client)
    assert answer.status_code == 429
    assert "Wait 15 minutes" in answer.content.decode()
    assert not is_logged_in(client)


def test_without_an_account_it_is_the_same() -> None:
    person()
    assert fail(MARY) == fail(NOBODY)
    known, unknown = log_in(Client(), MARY), log_in(Client(), NOBODY)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


@pytest.mark.parametrize("spelling", [MARY.upper(), f" {MARY} "])
def test_another_spelling_is_the_same_account(spelling: str) -> None:
    person()
    fail(spelling)
    assert log_in(Client()).status_code == 429


def test_from_another_address_the_owner_still_logs_in() -> None:
    person()
    fail(REMOTE_ADDR="203.0.113.7")
    client = Client()
    log_in(client, REMOTE_ADDR="203.0.113.8")
    assert is_logged_in(client)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Fly-Client-IP"])
def test_a_header_that_anybody_can_send_gives_no_new_chances(header: str) -> None:
    person()
    for n in range(LIMIT):
        log_in(Client(), password="wrong", headers={header: f"203.0.113.{n}"})
    assert log_in(Client(), headers={header: "203.0.113.99"}).status_code == 429


def test_behind_a_proxy_its_own_header_says_who_guesses(settings: Any) -> None:
    settings.CLIENT_IP = "HTTP_FLY_CLIENT_IP"
    person()
    fail(headers={"Fly-Client-IP": "203.0.113.7"})
    assert log_in(Client(), headers={"Fly-Client-IP": "203.0.113.7"}).status_code == 429
    assert log_in(Client(), headers={"Fly-Client-IP": "203.0.113.8"}).status_code == 302


def test_an_address_that_tries_many_accounts_is_locked_for_all(settings: Any) -> None:
    settings.LOCK_OUT_ADDRESS_AFTER = 10
    person()
    for n in range(10):
        fail(f"guess{n}@test.invalid", times=1, REMOTE_ADDR="203.0.113.7")
    assert log_in(Client(), REMOTE_ADDR="203.0.113.7").status_code == 429
    assert log_in(Client(), REMOTE_ADDR="203.0.113.8").status_code == 302


def test_a_login_of_ones_own_does_not_forgive_what_the_address_did_to_others(settings: Any) -> None:
    settings.LOCK_OUT_ADDRESS_AFTER = 6
    person()
    person("mallory@test.invalid")
    fail(times=4)
    assert log_in(Client(), "mallory@test.invalid").status_code == 302
    assert AccessAttempt.objects.get().failures_since_start == 4
    fail(NOBODY, times=2)
    assert log_in(Client(), "mallory@test.invalid").status_code == 429


def test_a_login_forgives_the_owners_own_slips() -> None:
    person()
    fail(times=4)
    assert log_in(Client()).status_code == 302
    assert fail(times=4) == [200] * 4


def test_many_addresses_together_do_not_guess_without_end(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed": "30/m/ip,8/h/key"}
    person()
    for n in range(8):
        fail(times=1, REMOTE_ADDR=f"203.0.113.{n}")
    client = Client()
    log_in(client, REMOTE_ADDR="203.0.113.99")
    assert not is_logged_in(client)


def test_what_was_sent_is_kept_nowhere() -> None:
    secret = "correct horse battery staple"
    log_in(Client(), password=secret, query_params={"token": secret}, headers={"Accept": secret})
    Client().post("/accounts/login/", {"login": MARY, "password": "x", "more": secret})
    for attempt in AccessAttempt.objects.all():
        kept = [attempt.get_data, attempt.post_data, attempt.http_accept, attempt.path_info]
        assert not any(kept)
    assert AccessAttempt.objects.exists()


def test_an_administrator_unlocks_by_deleting_the_row() -> None:
    person()
    fail()
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    row = AccessAttempt.objects.get()
    assert MARY in admin.get("/admin/axes/accessattempt/").content.decode()
    assert admin.post(f"/admin/axes/accessattempt/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert log_in(Client()).status_code == 302


def test_codes_of_an_authenticator_app_are_counted_like_passwords() -> None:
    mary = person()
    TOTP.activate(mary, "JBSWY3DPEHPK3PXP")
    client = Client()
    assert log_in(client)["Location"] == "/accounts/2fa/authenticate/"
    guesses = [client.post("/accounts/2fa/authenticate/", {"code": f"{n:06}"}).status_code for n in range(LIMIT)]
    assert guesses == [200, 200, 200, 200, 429]
    assert not is_logged_in(client)
    assert log_in(Client()).status_code == 429


@pytest.mark.parametrize("email", ["x" * 300 + "@test.invalid", "a\0b@test.invalid", "é@test.invalid", "@", "a@b@c"])
def test_whatever_is_typed_there_is_a_page_and_no_fault(email: str) -> None:
    assert log_in(Client(), email, "wrong").status_code == 200
    assert Client().post("/accounts/password/reset/", {"email": email}).status_code in (200, 302)
    assert Client().post("/accounts/login/code/", {"email": email}).status_code in (200, 302)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """One entry for each password that is hashed."""
    done: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        done.append("hash")
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    return done


def test_a_login_costs_one_hash_whoever_one_says_one_is(hashed: list[str]) -> None:
    person()
    person("unverified@test.invalid", verified=False)
    person("gone@test.invalid", is_active=False)
    passwordless: User = UserFactory(email="peter@test.invalid")
    costs = {}
    for email in (MARY, "unverified@test.invalid", "gone@test.invalid", passwordless.email, NOBODY):
        hashed.clear()
        log_in(Client(), email, "wrong")
        costs[email] = len(hashed)
    assert set(costs.values()) == {1}, costs


def test_a_sign_up_costs_as_many_hashes_with_a_taken_e_mail_as_with_a_free_one(
    hashed: list[str], settings: Any
) -> None:
    settings.SIGN_UP = "invitation"
    person()
    admin = UserFactory(is_superuser=True)
    costs = []
    for email in (MARY, NOBODY):
        _, code = make_sign_up_code(maker=admin, door="test")
        fields = {"code": code, "email": email, "first_name": "N", "last_name": "N"}
        hashed.clear()
        answer = Client().post("/accounts/signup/", {**fields, "password1": PASSWORD, "password2": PASSWORD})
        costs.append((answer.status_code, len(hashed)))
    assert costs == [(302, 1), (302, 1)]


def test_the_right_password_of_a_deactivated_account_looks_wrong() -> None:
    person(is_active=False)
    refused, wrong = log_in(Client()), log_in(Client(), NOBODY, PASSWORD)
    assert refused.status_code == wrong.status_code == 200
    assert "are not correct" in refused.content.decode()
