"""Whatever is sent to the pages, there is an answer and no fault."""

import json
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client

from jhe.sso import providers
from tests.accounts.people import log_in, logged_in, person, reauthenticate

pytestmark = pytest.mark.django_db

GARBAGE = [
    "",
    "\0",
    "x" * 5_000,
    "{}",
    "[]",
    "null",
    '{"response": {"userHandle": "AAAA"}}',
    '{"response": []}',
    "1",
    "é",
]
OPEN = [
    "/accounts/login/",
    "/accounts/login/code/",
    "/accounts/login/code/confirm/",
    "/accounts/password/reset/",
    "/accounts/confirm-email/",
    "/accounts/signup/",
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/3rdparty/signup/",
    "/accounts/logout/",
]
FIELDS = ("login", "email", "password", "code", "credential", "next", "action", "first_name", "password1", "password2")


@pytest.mark.parametrize("path", OPEN)
def test_from_a_stranger(settings: Any, path: str) -> None:
    settings.SIGN_UP = "invitation"
    settings.ACCOUNT_RATE_LIMITS = settings.MFA_RATE_LIMITS = False
    for garbage in GARBAGE:
        answer = Client().post(path, dict.fromkeys(FIELDS, garbage))
        assert answer.status_code < 500, (garbage, answer.content)


@pytest.mark.parametrize("field", ["code", "credential"])
def test_from_somebody_between_password_and_second_factor(settings: Any, field: str) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    settings.LOCK_OUT_AFTER = settings.LOCK_OUT_ADDRESS_AFTER = settings.AXES_FAILURE_LIMIT = 1_000
    TOTP.activate(person(), "JBSWY3DPEHPK3PXP")
    client = Client()
    log_in(client)
    client.get("/accounts/2fa/authenticate/")
    for garbage in GARBAGE:
        assert client.post("/accounts/2fa/authenticate/", {field: garbage}).status_code < 500, garbage


@pytest.mark.parametrize("path", ["email/", "password/change/", "2fa/totp/activate/", "2fa/webauthn/add/", "sessions/"])
def test_from_somebody_with_an_account(settings: Any, path: str) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    person()
    client = logged_in()
    reauthenticate(client)
    client.get(f"/accounts/{path}")
    for garbage in GARBAGE:
        answer = client.post(f"/accounts/{path}", {**dict.fromkeys(FIELDS, garbage), "name": garbage, "action_add": ""})
        assert answer.status_code < 500, garbage


def test_an_identity_provider_that_is_away_is_no_fault_of_ours(settings: Any) -> None:
    described = {
        "type": "openid_connect",
        "id": "hospital",
        "name": "Hospital",
        "server_url": "http://127.0.0.1:1",
        "client_id": "c",
        "domains": ["test.invalid"],
    }
    settings.SOCIALACCOUNT_PROVIDERS = providers(json.dumps([described]))
    answer = Client().post("/accounts/oidc/hospital/login/")
    assert (answer.status_code, "does not answer" in answer.content.decode()) == (503, True)
    assert Client().get("/accounts/oidc/hospital/login/callback/?code=c&state=s").status_code < 500
