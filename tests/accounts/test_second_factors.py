"""Authenticator apps, recovery codes and passkeys; and for whom one of them is required."""

import json
import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth import get_user
from django.test import Client

from core.models import User
from tests.accounts.passkey import Passkey
from tests.accounts.people import MARY, is_logged_in, log_in, logged_in, person, practitioner, reauthenticate

pytestmark = pytest.mark.django_db


def app_code(secret: str, periods_ago: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - periods_ago))


def set_up_app(client: Client) -> str:
    """An authenticator app for who is logged in: its secret."""
    reauthenticate(client)
    page = client.get("/accounts/2fa/totp/activate/")
    secret: str = page.context["form"].secret
    assert client.post("/accounts/2fa/totp/activate/", {"code": app_code(secret, 5)}).status_code == 200
    answer = client.post("/accounts/2fa/totp/activate/", {"code": app_code(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/recovery-codes/")
    return secret


def options_on(page: Any, name: str) -> dict[str, Any]:
    found = re.search(r'<script id="js_data" type="application/json">(.*?)</script>', page.content.decode())
    assert found
    options: dict[str, Any] = json.loads(found[1])[name]
    return options


def add_passkey(client: Client, passkey: Passkey) -> Any:
    reauthenticate(client)
    page = client.get("/accounts/2fa/webauthn/add/")
    credential = passkey.create(options_on(page, "creation_options"))
    return client.post(
        "/accounts/2fa/webauthn/add/", {"name": "Laptop", "credential": credential, "passwordless": "on"}
    )


@pytest.fixture(autouse=True)
def _between_two_periods(settings: Any) -> None:
    """A code that was made just before its half minute ended is still good when it is sent."""
    settings.MFA_TOTP_TOLERANCE = 1


@pytest.fixture
def _browser_rules(settings: Any) -> None:
    """As in production: the origin is checked."""
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False


def test_mary_sets_up_an_app_and_is_asked_for_its_code_from_then_on() -> None:
    person()
    secret = set_up_app(logged_in())
    client = Client()
    assert log_in(client)["Location"] == "/accounts/2fa/authenticate/"
    assert not is_logged_in(client)
    code = app_code(secret, -1)  # the one that set it up is used up
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert is_logged_in(client)


def test_the_code_that_sets_an_app_up_does_not_log_in() -> None:
    person()
    browser = logged_in()
    reauthenticate(browser)
    secret = browser.get("/accounts/2fa/totp/activate/").context["form"].secret
    code = app_code(secret)
    assert browser.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
    client = Client()
    log_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_logged_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": app_code(secret, -1)})
    assert is_logged_in(client)


def test_a_code_works_once_also_in_another_browser() -> None:
    person()
    secret = set_up_app(logged_in())
    code = app_code(secret, -1)  # the one that set it up is used up
    first, second = Client(), Client()
    log_in(first)
    log_in(second)
    first.post("/accounts/2fa/authenticate/", {"code": code})
    second.post("/accounts/2fa/authenticate/", {"code": code})
    assert is_logged_in(first)
    assert not is_logged_in(second)


def test_a_recovery_code_stands_in_for_a_lost_app_once() -> None:
    person()
    browser = logged_in()
    set_up_app(browser)
    shown = browser.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
    assert len(shown) == 10
    for expected in (True, False):
        client = Client()
        log_in(client)
        client.post("/accounts/2fa/authenticate/", {"code": shown[0]})
        assert is_logged_in(client) is expected


def test_the_secrets_are_kept_encrypted_and_no_page_of_the_admin_shows_them() -> None:
    person()
    secret = set_up_app(logged_in())
    admin = Client()
    admin.force_login(person("admin@test.invalid", is_staff=True, is_superuser=True))
    for authenticator in Authenticator.objects.all():
        assert secret not in json.dumps(authenticator.data)
        page = admin.get(f"/admin/mfa/authenticator/{authenticator.pk}/change/").content.decode()
        assert not any(str(value) in page for value in authenticator.data.values() if value)


def test_a_factor_is_changed_only_by_who_shows_the_password_again() -> None:
    person()
    client = logged_in()
    for page in ("totp/activate", "webauthn/add", "recovery-codes/generate"):
        answer = client.get(f"/accounts/2fa/{page}/")
        assert answer.status_code == 302, page
    assert client.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code == 200
    assert client.get("/accounts/2fa/totp/activate/").status_code == 302
    set_up_app(client)
    fresh = Client()
    fresh.force_login(User.objects.get(email=MARY))
    assert fresh.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()


@pytest.mark.usefixtures("_browser_rules")
def test_a_passkey_logs_in_by_itself() -> None:
    mary = person()
    passkey = Passkey()
    assert add_passkey(logged_in(), passkey)["Location"] == "/accounts/2fa/recovery-codes/"
    client = Client()
    answer = client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    credential = passkey.get(answer.json()["request_options"])
    assert client.post("/accounts/2fa/webauthn/login/", {"credential": credential}).status_code == 302
    assert get_user(client) == mary  # type: ignore[arg-type]
    replay = Client()
    replay.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    replay.post("/accounts/2fa/webauthn/login/", {"credential": credential})
    assert not is_logged_in(replay)


@pytest.mark.usefixtures("_browser_rules")
def test_a_passkey_is_a_second_factor_beside_the_password() -> None:
    person()
    passkey = Passkey()
    add_passkey(logged_in(), passkey)
    client = Client()
    page = client.get(log_in(client)["Location"])
    client.post("/accounts/2fa/authenticate/", {"credential": Passkey().get(options_on(page, "request_options"))})
    assert not is_logged_in(client)
    page = client.get("/accounts/2fa/authenticate/")
    client.post("/accounts/2fa/authenticate/", {"credential": passkey.get(options_on(page, "request_options"))})
    assert is_logged_in(client)


@pytest.mark.usefixtures("_browser_rules")
@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "http://localhost.evil.example.org", "https://notlocalhost", "null"]
)
def test_a_passkey_that_was_asked_on_another_site_is_refused(origin: str) -> None:
    person()
    assert add_passkey(logged_in(), Passkey(origin=origin)).status_code == 200
    passkey = Passkey()
    add_passkey(logged_in(), passkey)
    passkey.origin = origin
    client = Client()
    answer = client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    client.post("/accounts/2fa/webauthn/login/", {"credential": passkey.get(answer.json()["request_options"])})
    assert not is_logged_in(client)


@pytest.mark.usefixtures("_browser_rules")
def test_alone_a_passkey_must_have_seen_the_person() -> None:
    person()
    passkey = Passkey()
    add_passkey(logged_in(), passkey)
    passkey.verifies_person = False
    client = Client()
    answer = client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    client.post("/accounts/2fa/webauthn/login/", {"credential": passkey.get(answer.json()["request_options"])})
    assert not is_logged_in(client)


def test_passkeys_belong_to_the_exchanges_public_name_whatever_host_is_asked() -> None:
    person()
    client = logged_in()
    reauthenticate(client)
    page = client.get("/accounts/2fa/webauthn/add/", headers={"Host": "127.0.0.1"})
    assert options_on(page, "creation_options")["publicKey"]["rp"]["id"] == "localhost"


PROTECTED = [
    "/",
    "/admin/",
    "/o/authorize/?client_id=x",
    "/account/apps/",
    "/accounts/sessions/",
    "/accounts/3rdparty/",
]


@pytest.mark.parametrize("path", PROTECTED)
def test_a_practitioner_who_must_have_a_second_factor_sets_one_up_before_anything_else(
    settings: Any, path: str
) -> None:
    settings.SECOND_FACTOR = "practitioners"
    practitioner()
    client = logged_in()
    assert client.get(path)["Location"] == "/accounts/2fa/"
    assert client.post(path)["Location"] == "/accounts/2fa/"


def test_with_one_they_go_where_they_wanted(settings: Any) -> None:
    settings.SECOND_FACTOR = "practitioners"
    practitioner()
    client = logged_in()
    client.get("/o/authorize/?client_id=x")
    assert 'href="/o/authorize/?client_id=x"' in client.get("/accounts/2fa/").content.decode()
    set_up_app(client)
    assert 'href="/o/authorize/?client_id=x"' in client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert client.get("/").status_code == 200
    assert "Continue" not in client.get("/accounts/2fa/").content.decode()


def test_recovery_codes_alone_are_no_second_factor(settings: Any) -> None:
    settings.SECOND_FACTOR = "practitioners"
    mary = practitioner()
    Authenticator.objects.create(user=mary, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert logged_in().get("/")["Location"] == "/accounts/2fa/"


@pytest.mark.parametrize(
    ("who_must", "practitioners", "superusers"),
    [("none", 200, 200), ("superusers", 200, 302), ("practitioners", 302, 302)],
)
def test_who_must_have_one_is_a_setting(settings: Any, who_must: str, practitioners: int, superusers: int) -> None:
    settings.SECOND_FACTOR = who_must
    practitioner()
    person("admin@test.invalid", is_staff=True, is_superuser=True)
    person("peter@test.invalid")
    assert logged_in().get("/").status_code == practitioners
    assert logged_in("admin@test.invalid").get("/").status_code == superusers
    assert logged_in("peter@test.invalid").get("/").status_code == 200


def test_who_must_have_one_can_still_log_out(settings: Any) -> None:
    settings.SECOND_FACTOR = "practitioners"
    practitioner()
    client = logged_in()
    client.post("/accounts/logout/")
    assert not is_logged_in(client)
