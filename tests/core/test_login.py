"""The pages of the web service: logging in by e-mail, logging out, and the home page between."""

import re

import pytest
from django.contrib.auth import get_user
from django.http import HttpResponse
from django.test import Client

from core.actions.emails import set_email_verified
from core.models import User

EMAIL, PASSWORD = "manager_mary@example.com", "Jhe1234!"
SAME_SENTENCE = "The email address and/or password you specified are not correct."

pytestmark = pytest.mark.django_db


@pytest.fixture
def mary() -> User:
    mary = User.objects.create_user(EMAIL, PASSWORD, first_name="Mary")
    set_email_verified(mary)
    return mary


def log_in(client: Client, **changes: str) -> HttpResponse:
    return client.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD, **changes})


def is_logged_in(client: Client) -> bool:
    return get_user(client).is_authenticated


def test_the_page_asks_for_an_e_mail_and_a_password_that_a_password_manager_fills_in() -> None:
    page = Client().get("/accounts/login/").content.decode()
    assert '<label for="id_login">E-mail:</label>' in page
    assert '<label for="id_password">Password:</label>' in page
    assert re.search(r'<input type="email" name="login"[^>]* autocomplete="username"', page)
    assert 'autocomplete="current-password"' in page
    assert "<button>Log in</button>" in page


@pytest.mark.parametrize("spelling", [EMAIL, "Manager_Mary@Example.COM", f" {EMAIL} "])
def test_somebody_logs_in_however_they_spell_their_address(mary: User, spelling: str) -> None:
    client = Client()
    response = log_in(client, login=spelling)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert get_user(client) == mary
    assert "Welcome, Mary" in client.get("/").content.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "jhe1234!"},
        {"password": ""},
        {"login": "nobody@example.com"},
        {"login": "manager_mary"},
        {"login": f"{EMAIL}\0"},
        {"login": "%"},
    ],
)
def test_anything_but_the_right_pair_is_refused(mary: User, changes: dict[str, str]) -> None:
    client = Client()
    assert log_in(client, **changes).status_code == 200
    assert not is_logged_in(client)


def test_an_unknown_person_a_wrong_password_and_a_deactivated_account_look_the_same(mary: User) -> None:
    User.objects.create_user("gone@example.com", PASSWORD, is_active=False)
    for changes in ({"login": "nobody@example.com"}, {"password": "wrong"}, {"login": "gone@example.com"}):
        assert SAME_SENTENCE in log_in(Client(), **changes).content.decode()


def test_deactivating_somebody_ends_their_session_at_once(mary: User) -> None:
    client = Client()
    log_in(client)
    User.objects.update(is_active=False)
    assert not is_logged_in(client)


def test_changing_the_password_ends_the_sessions_that_the_old_one_began(mary: User) -> None:
    client = Client()
    log_in(client)
    mary.set_password("another")
    mary.save()
    assert not is_logged_in(client)


def test_logging_in_begins_a_new_session_so_that_nobody_can_plant_one(mary: User) -> None:
    client = Client()
    client.session["planted"] = True
    client.session.save()
    before = client.session.session_key
    log_in(client)
    assert client.session.session_key != before


def test_another_site_cannot_log_somebody_in_or_out(mary: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert log_in(client).status_code == 403
    assert not is_logged_in(client)
    client.force_login(mary)
    assert client.post("/accounts/logout/").status_code == 403
    client.get("/accounts/logout/")
    assert is_logged_in(client)


def test_a_token_that_was_made_for_another_session_does_not_help_another_site(mary: User) -> None:
    foreign = Client().get("/accounts/login/").context["csrf_token"]
    assert log_in(Client(enforce_csrf_checks=True), csrfmiddlewaretoken=str(foreign)).status_code == 403


def test_after_the_login_one_is_where_one_wanted_to_be(mary: User) -> None:
    assert log_in(Client(), next="/o/authorize/?client_id=x")["Location"] == "/o/authorize/?client_id=x"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.org/",
        "//evil.example.org/",
        "///evil.example.org/",
        "/\\evil.example.org/",
        "http:evil.example.org",
        "javascript:alert(1)",
        "https://testserver@evil.example.org/",
        "https://testserver.evil.example.org/",
        " //evil.example.org/",
        "/\t/evil.example.org/",
    ],
)
def test_a_login_leads_to_no_other_site(mary: User, elsewhere: str) -> None:
    assert log_in(Client(), next=elsewhere)["Location"] == "/"
    assert (
        Client().post(f"/accounts/login/?next={elsewhere}", {"login": EMAIL, "password": PASSWORD})["Location"] == "/"
    )


def test_what_was_typed_does_not_become_markup(mary: User) -> None:
    page = log_in(Client(), login='"><script>alert(1)</script>@x', next='"><script>alert(1)</script>')
    assert "<script>" not in page.content.decode()


def test_logging_out_leads_home(mary: User) -> None:
    client = Client()
    log_in(client)
    response = client.post("/accounts/logout/")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert not is_logged_in(client)


def test_the_home_page_offers_each_what_they_can_do(mary: User) -> None:
    client = Client()
    assert 'href="/accounts/login/"' in client.get("/").content.decode()
    log_in(client)
    page = client.get("/").content.decode()
    assert EMAIL in page
    assert "/admin/" not in page
    User.objects.update(is_staff=True, is_superuser=True)
    assert 'href="/admin/"' in client.get("/").content.decode()


@pytest.mark.parametrize("path", ["/", "/accounts/login/"])
def test_no_page_can_be_framed_sniffed_or_told_on(path: str) -> None:
    page = Client().get(path)
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"


def test_the_stylesheet_of_the_pages_is_there() -> None:
    response = Client().get("/static/core/site.css")
    assert (response.status_code, response["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    assert b"font:" in b"".join(response)
