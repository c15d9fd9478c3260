"""Single sign-on at an OpenID provider: whose word is believed, and which account it opens."""

import json
from collections.abc import Iterator
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client

from core.models import User
from jhe.sso import providers
from tests.accounts.openid_provider import CLIENT_ID, OpenIDProvider, running
from tests.accounts.people import MARY, PASSWORD, is_logged_in, logged_in, person, reauthenticate

pytestmark = pytest.mark.django_db

DOMAIN = "test.invalid"
NEW = "new@test.invalid"


@pytest.fixture(scope="module")
def hospital() -> Iterator[OpenIDProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def configure(settings: Any, hospital: OpenIDProvider) -> Any:
    def described(**more: Any) -> None:
        of = {"type": "openid_connect", "id": "hospital", "name": "Hospital", "domains": [DOMAIN], **more}
        of = {"server_url": hospital.issuer, "client_id": CLIENT_ID, "client_secret": "s", **of}
        settings.SOCIALACCOUNT_PROVIDERS = providers(json.dumps([of]))

    described()
    return described


def begin(client: Client, process: str = "login") -> dict[str, str]:
    """What the provider is asked with."""
    answer = client.post(f"/accounts/oidc/hospital/login/?process={process}&next=/")
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def come_back(client: Client, state: str) -> Any:
    return client.get("/accounts/oidc/hospital/login/callback/", {"code": "c", "state": state})


def log_in(client: Client) -> Any:
    return come_back(client, begin(client)["state"])


def test_the_login_page_offers_it(configure: Any) -> None:
    page = Client().get("/accounts/login/").content.decode()
    assert "Go on with Hospital" in page
    assert Client().get("/accounts/oidc/hospital/login/").status_code == 200  # asks first: no login by a link


def test_who_connected_it_logs_in_with_it(configure: Any, hospital: OpenIDProvider) -> None:
    mary = person()
    hospital.says(email=MARY)
    browser = logged_in()
    reauthenticate(browser)
    come_back(browser, begin(browser, "connect")["state"])
    client = Client()
    assert log_in(client).status_code == 302
    assert get_user(client) == mary  # type: ignore[arg-type]
    assert not SocialToken.objects.exists()


def test_the_code_is_bound_to_the_browser_by_state_and_to_the_request_by_pkce(
    configure: Any, hospital: OpenIDProvider
) -> None:
    configure(by_email=True)
    person()
    hospital.says(email=MARY)
    client, other = Client(), Client()
    asked = begin(client)
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    come_back(other, asked["state"])
    assert not is_logged_in(other)
    come_back(client, "another")
    assert not is_logged_in(client)
    come_back(client, begin(client)["state"])
    assert is_logged_in(client)
    assert hospital.asked["code_verifier"]


def test_an_account_with_this_e_mail_is_not_opened_by_itself(configure: Any, hospital: OpenIDProvider) -> None:
    person()
    hospital.says(email=MARY)
    client = Client()
    log_in(client)
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


def test_an_account_with_this_e_mail_is_opened_where_that_is_set(configure: Any, hospital: OpenIDProvider) -> None:
    configure(by_email=True)
    mary = person()
    hospital.says(email=MARY.upper())
    client = Client()
    log_in(client)
    assert get_user(client) == mary  # type: ignore[arg-type]


def test_a_password_that_somebody_set_before_the_owner_came_is_no_good_any_more(
    configure: Any, hospital: OpenIDProvider
) -> None:
    configure(by_email=True)
    mary = person(verified=False)
    hospital.says(email=MARY)
    log_in(Client())
    mary.refresh_from_db()
    assert not mary.check_password(PASSWORD)


@pytest.mark.parametrize(
    "said",
    [
        {"email": MARY, "email_verified": False},
        {"email": MARY, "email_verified": "true"},
        {"email": MARY, "email_verified": None},
        {"email": "mary@evil.example.org"},
        {"email": "mary@test.invalid.evil.example.org"},
        {"email": "mary@sub.test.invalid"},
        {"email": "mary@evil.example.org@test.invalid"},
        {"email": ""},
        {},
    ],
)
def test_an_e_mail_that_is_not_verified_or_of_another_domain_opens_nothing(
    configure: Any, hospital: OpenIDProvider, said: dict[str, Any]
) -> None:
    configure(by_email=True, sign_up=True)
    person()
    hospital.says(**said)
    client = Client()
    assert log_in(client).status_code == 403
    assert not is_logged_in(client)
    assert User.objects.count() == 1


def test_who_left_the_domain_is_refused_although_they_are_known(configure: Any, hospital: OpenIDProvider) -> None:
    configure(by_email=True)
    person()
    hospital.says(email=MARY)
    log_in(Client())
    hospital.says(email="mary@elsewhere.example.org")
    client = Client()
    assert log_in(client).status_code == 403
    assert not is_logged_in(client)


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://evil.example.org"},
        {"aud": "another-client"},
        {"exp": int(time()) - 60},
    ],
)
def test_an_id_token_of_another_issuer_or_for_another_client_or_too_old_is_refused(
    configure: Any, hospital: OpenIDProvider, said: dict[str, Any]
) -> None:
    configure(by_email=True)
    person()
    hospital.says(email=MARY, **said)
    client = Client()
    assert log_in(client).status_code < 500
    assert not is_logged_in(client)


def test_userinfo_of_somebody_else_is_refused(configure: Any, hospital: OpenIDProvider) -> None:
    configure(by_email=True, userinfo=True)
    person()
    hospital.says(email=MARY)
    hospital.userinfo = {"sub": "u2", "email": MARY, "email_verified": True}
    client = Client()
    assert log_in(client).status_code == 403
    hospital.userinfo["sub"] = "u1"
    log_in(client)
    assert is_logged_in(client)


def test_without_an_account_nobody_gets_in(configure: Any, hospital: OpenIDProvider) -> None:
    hospital.says(email=NEW)
    assert "No sign-up" in log_in(Client()).content.decode()
    assert not User.objects.exists()


def test_where_that_is_set_who_has_none_gets_an_account_without_any_role(
    configure: Any, hospital: OpenIDProvider
) -> None:
    configure(sign_up=True)
    hospital.says(email=NEW, given_name="Nora", family_name="New", is_superuser=True, is_staff=True)
    client = Client()
    log_in(client)
    user = get_user(client)  # type: ignore[arg-type]
    assert isinstance(user, User)
    assert (user.email, user.first_name, user.has_usable_password()) == (NEW, "Nora", False)
    assert (user.is_superuser, user.is_staff, hasattr(user, "practitioner")) == (False, False, False)


def test_signing_up_with_a_taken_e_mail_does_not_open_that_account(configure: Any, hospital: OpenIDProvider) -> None:
    configure(sign_up=True)
    person()
    hospital.says(email=MARY, sub="other")
    client = Client()
    log_in(client)
    assert not is_logged_in(client)
    assert [message.to for message in mail.outbox] == [[MARY]]


def test_a_deactivated_account_is_not_opened(configure: Any, hospital: OpenIDProvider) -> None:
    configure(by_email=True)
    person(is_active=False)
    hospital.says(email=MARY)
    client = Client()
    log_in(client)
    assert not is_logged_in(client)


def test_a_second_factor_is_asked_for_after_it(configure: Any, hospital: OpenIDProvider) -> None:
    configure(by_email=True)
    TOTP.activate(person(), "JBSWY3DPEHPK3PXP")
    hospital.says(email=MARY)
    client = Client()
    assert log_in(client)["Location"] == "/accounts/2fa/authenticate/"
    assert not is_logged_in(client)


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org"])
def test_it_leads_to_no_other_site(configure: Any, hospital: OpenIDProvider, elsewhere: str) -> None:
    configure(by_email=True)
    person()
    hospital.says(email=MARY)
    client = Client()
    asked = client.post("/accounts/oidc/hospital/login/", query_params={"process": "login", "next": elsewhere})
    state = parse_qs(urlsplit(asked["Location"]).query)["state"][0]
    assert come_back(client, state)["Location"] == "/"


def test_a_provider_that_is_not_configured_is_not_there() -> None:
    for kind in ("oidc", "saml"):
        assert Client().get(f"/accounts/{kind}/hospital/login/").status_code == 404


GOOD = {
    "type": "openid_connect",
    "id": "hospital",
    "name": "Hospital",
    "server_url": "https://idp.example.org",
    "client_id": "c",
    "client_secret": "very-secret",
    "domains": ["example.org"],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"server_url": "http://idp.example.org"},
        {"domains": []},
        {"domains": ["mary@example.org"]},
        {"id": "../x"},
        {"type": "google"},
        {"client_id": None},
        {"surprise": 1},
    ],
)
def test_a_provider_that_is_described_wrongly_is_refused_without_its_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))) as refusal:
        providers(json.dumps([{**GOOD, **wrong}]))
    assert "very-secret" not in str(refusal.value)


@pytest.mark.parametrize("said", ["[", "/nowhere/sso.json", json.dumps([GOOD, GOOD])])
def test_what_is_no_list_of_providers_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r"it is not JSON|cannot be read|the same id"):
        providers(said)


def test_it_can_be_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "sso.json"
    path.write_text(json.dumps([GOOD]))
    assert providers(str(path))["openid_connect"]["APPS"][0]["provider_id"] == "hospital"
