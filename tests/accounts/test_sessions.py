"""Where somebody is logged in, what their browser keeps, and what the pages about an account may do."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from core.models import User
from jhe import development, env
from tests.accounts.people import MARY, is_logged_in, log_in, logged_in, person
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_mary_sees_where_she_is_logged_in_and_logs_out_everywhere_else() -> None:
    person()
    person("other@test.invalid")
    elsewhere = Client()
    log_in(elsewhere, headers={"User-Agent": "Lost phone"})
    here, other = logged_in(), logged_in("other@test.invalid")
    assert "Lost phone" in here.get("/accounts/sessions/").content.decode()
    assert "Lost phone" not in other.get("/accounts/sessions/").content.decode()
    assert here.post("/accounts/sessions/").status_code == 302
    assert [is_logged_in(browser) for browser in (here, elsewhere, other)] == [True, False, True]


def test_an_administrator_ends_a_session() -> None:
    mary = person()
    browser = logged_in()
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    session = mary.usersession_set.get()
    assert admin.post(f"/admin/usersessions/usersession/{session.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not is_logged_in(browser)


def test_a_session_ends_within_a_day_and_its_cookie_is_for_this_site_alone() -> None:
    person()
    cookie = log_in(Client()).cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert 0 < cookie["max-age"] <= 24 * 3600


def test_two_exchanges_of_one_machine_keep_their_logins_apart_and_production_has_plain_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = set()
    for port in (28000, 28002):
        monkeypatch.setattr(env, "WEB_PORT", port)
        names |= {development.cookie_name("sessionid"), development.cookie_name("csrftoken")}
    assert names == {"sessionid_28000", "csrftoken_28000", "sessionid_28002", "csrftoken_28002"}
    monkeypatch.setattr(env, "DEBUG", False)
    assert development.cookie_name("sessionid") == "sessionid"


def test_logging_out_leaves_nothing_of_the_session() -> None:
    person()
    client = logged_in()
    client.post("/accounts/logout/")
    assert not Session.objects.filter(session_key=client.cookies[settings.SESSION_COOKIE_NAME].value).exists()


@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/accounts/password/reset/", "/accounts/login/code/", "/accounts/signup/"]
)
def test_pages_about_an_account_are_in_no_frame_and_no_cache_and_run_only_our_scripts(path: str) -> None:
    page = Client().get(path)
    policy = page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page["Cache-Control"] == "no-store"
    assert page["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/2fa/",
        "/accounts/sessions/",
        "/accounts/3rdparty/",
        "/accounts/2fa/totp/activate/",
        "/accounts/reauthenticate/",
    ],
)
def test_strangers_are_sent_to_the_login(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", ["/login/", "/logout/"])
def test_the_old_addresses_lead_on(path: str) -> None:
    answer = Client().get(f"{path}?next=/o/authorize/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"/accounts{path}")


def test_the_admins_login_is_the_one_login() -> None:
    person(is_staff=True, is_superuser=True)
    answer = Client().post("/admin/login/?next=/admin/core/", {"username": MARY, "password": "a long and unusual one"})
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2Fcore%2F"
    assert settings.SESSION_COOKIE_NAME not in answer.cookies


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org"])
def test_the_admins_login_leads_to_no_other_site(elsewhere: str) -> None:
    person(is_staff=True, is_superuser=True)
    login = Client().get("/admin/login/", {"next": elsewhere})["Location"]
    assert login.startswith("/accounts/login/?next=")
    client = Client()
    assert log_in(client, query_params={"next": elsewhere})["Location"] == "/"


def test_who_may_not_open_the_admin_is_told_so_and_does_not_go_in_circles() -> None:
    person()
    answer = logged_in().get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "for administrators" in answer.content.decode()


def test_a_password_is_changed_in_one_place() -> None:
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert admin.get("/admin/password_change/")["Location"] == "/accounts/password/change/"


@pytest.mark.parametrize(
    "path",
    ["/admin/socialaccount/socialapp/", "/admin/socialaccount/socialtoken/", "/admin/account/emailconfirmation/"],
)
def test_the_admin_has_no_page_of_secrets(path: str) -> None:
    admin = Client()
    admin.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert admin.get(path).status_code == 404


def test_a_deactivated_account_is_out_of_every_page_at_once() -> None:
    person()
    client = logged_in()
    User.objects.update(is_active=False)
    assert client.get("/accounts/email/").status_code == 302
    assert not is_logged_in(client)


def test_a_mail_server_that_is_away_is_told_to_everybody_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
    person()
    for email in (MARY, "nobody@test.invalid"):
        answer = Client().post("/accounts/password/reset/", {"email": email})
        assert answer.status_code == 503
