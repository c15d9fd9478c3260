"""Logging out at a client's request (OpenID Connect RP-Initiated Logout 1.0): who is logged out, and who never is."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import Application, IDToken

from core.models import User
from tests.factories import UserFactory
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"
GOODBYE = "https://notebook.example.org/goodbye"


@pytest.fixture
def notebook(web_app: Application) -> Application:
    web_app.post_logout_redirect_uris = GOODBYE
    web_app.client_type = Application.CLIENT_PUBLIC
    web_app.save()
    return web_app


@pytest.fixture
def browser(somebody: User) -> Client:
    client = Client()
    client.force_login(somebody)
    return client


def tokens(user: User, notebook: Application) -> dict[str, Any]:
    code = flow.code_for_web(user, notebook, CALLBACK)
    return flow.redeem(code, client_id=notebook.client_id, redirect_uri=CALLBACK).json()


def ask(browser: Client, **parameters: str) -> HttpResponse:
    return browser.get("/o/logout/", parameters)


def press(page: HttpResponse, button: str = "allow", **changes: str) -> HttpResponse:
    fields = {field.html_name: field.value() or "" for field in page.context["form"].hidden_fields()}
    answer = {"allow": "on"} if button == "allow" else {}
    return page.client.post("/o/logout/", {**fields, **answer, **changes})


def is_logged_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def test_a_client_that_shows_the_persons_id_token_logs_them_out_and_gets_them_back(
    browser: Client, somebody: User, notebook: Application
) -> None:
    mine, of_stdio = tokens(somebody, notebook), flow.tokens(somebody)
    response = ask(browser, id_token_hint=mine["id_token"], post_logout_redirect_uri=GOODBYE, state="a b&c")
    assert (response.status_code, response["Location"]) == (302, f"{GOODBYE}?state=a+b%26c")
    assert not is_logged_in(browser)
    assert not flow.stands(mine["access_token"])
    assert flow.refused(flow.refresh(mine["refresh_token"], client_id=notebook.client_id)) == "invalid_grant"
    assert flow.stands(of_stdio["access_token"])


def test_an_id_token_that_has_run_out_still_says_who(browser: Client, somebody: User, notebook: Application) -> None:
    hint = tokens(somebody, notebook)["id_token"]
    IDToken.objects.update(expires=timezone.now() - timedelta(days=1))
    assert ask(browser, id_token_hint=hint, post_logout_redirect_uri=GOODBYE)["Location"] == GOODBYE


def test_without_an_id_token_the_person_is_asked(browser: Client, somebody: User, notebook: Application) -> None:
    token = tokens(somebody, notebook)["access_token"]
    page = ask(browser, client_id=notebook.client_id, post_logout_redirect_uri=GOODBYE, state="s")
    assert (page.status_code, is_logged_in(browser)) == (200, True)
    assert "Cohort Notebook" in page.content.decode()
    assert page["X-Frame-Options"] == "DENY"
    assert "form-action 'self' https://notebook.example.org" in page["Content-Security-Policy"]
    assert page["Referrer-Policy"] == "same-origin"
    assert press(page)["Location"] == f"{GOODBYE}?state=s"
    assert not is_logged_in(browser)
    assert not flow.stands(token)


def test_who_stays_stays_logged_in(browser: Client, somebody: User, notebook: Application) -> None:
    token = tokens(somebody, notebook)["access_token"]
    page = ask(browser, client_id=notebook.client_id, post_logout_redirect_uri=GOODBYE)
    assert press(page, "stay")["Location"] == "/"
    assert is_logged_in(browser)
    assert flow.stands(token)


def test_anothers_id_token_logs_nobody_out_without_asking(
    browser: Client, somebody: User, notebook: Application
) -> None:
    theirs, mine = tokens(UserFactory(), notebook), tokens(somebody, notebook)
    page = ask(browser, id_token_hint=theirs["id_token"], post_logout_redirect_uri=GOODBYE)
    assert (page.status_code, is_logged_in(browser)) == (200, True)
    press(page)
    assert not flow.stands(mine["access_token"])
    assert flow.stands(theirs["access_token"])


def test_who_is_not_logged_in_here_ends_nothing(somebody: User, notebook: Application) -> None:
    mine = tokens(somebody, notebook)
    response = ask(Client(), id_token_hint=mine["id_token"], post_logout_redirect_uri=GOODBYE)
    assert response["Location"] == GOODBYE
    assert flow.stands(mine["access_token"])


def test_another_site_cannot_press_the_button(somebody: User, notebook: Application) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(somebody)
    page = browser.post("/o/logout/", {"client_id": notebook.client_id, "allow": "on"})
    assert (page.status_code, is_logged_in(browser)) == (200, True)
    assert "Log out?" in page.content.decode()


def test_a_client_may_ask_by_post_too(somebody: User, notebook: Application) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(somebody)
    hint = tokens(somebody, notebook)["id_token"]
    response = browser.post("/o/logout/", {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE})
    assert response["Location"] == GOODBYE
    assert not is_logged_in(browser)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.org/goodbye",
        GOODBYE + "/",
        GOODBYE + "?next=https://evil.example.org",
        GOODBYE + "#x",
        "https://notebook.example.org@evil.example.org/goodbye",
        "https://notebook.example.org.evil.example.org/goodbye",
        "https://notebook.example.org:8443/goodbye",
        "https://notebook.example.org/goodbye/../callback",
        "https://notebook.example.org\\goodbye",
        "HTTPS://NOTEBOOK.EXAMPLE.ORG/GOODBYE",
        "http://notebook.example.org/goodbye",
        "//notebook.example.org/goodbye",
        "/goodbye",
        "javascript:alert(1)",
        CALLBACK,
    ],
)
def test_nobody_is_sent_where_the_client_did_not_say_before(
    browser: Client, somebody: User, notebook: Application, address: str
) -> None:
    hint = tokens(somebody, notebook)["id_token"]
    for who in ({"id_token_hint": hint}, {"client_id": notebook.client_id}):
        response = ask(browser, **who, post_logout_redirect_uri=address)
        assert (response.status_code, is_logged_in(browser)) == (400, True)
        assert "Location" not in response


def test_an_address_in_the_open_is_refused_even_if_an_admin_registered_it(
    browser: Client, notebook: Application
) -> None:
    Application.objects.update(post_logout_redirect_uris="http://notebook.example.org/goodbye")
    response = ask(
        browser, client_id=notebook.client_id, post_logout_redirect_uri="http://notebook.example.org/goodbye"
    )
    assert response.status_code == 400


@pytest.mark.parametrize("client_id", ["nobody", "\0", "jhe-mcp-stdio\0"])
def test_a_client_that_is_none_is_refused_by_get_and_by_post(notebook: Application, client_id: str) -> None:
    anybody = Client(enforce_csrf_checks=True)
    assert ask(anybody, client_id=client_id).status_code == 400
    assert anybody.post("/o/logout/", {"client_id": client_id}).status_code == 400


def test_tampering_with_the_form_leads_nowhere_either(browser: Client, notebook: Application) -> None:
    page = ask(browser, client_id=notebook.client_id, post_logout_redirect_uri=GOODBYE)
    assert press(page, post_logout_redirect_uri="https://evil.example.org/").status_code == 400
    assert is_logged_in(browser)


def test_hints_that_are_not_ours_are_refused(browser: Client, somebody: User, notebook: Application) -> None:
    good = tokens(somebody, notebook)
    claims = jwt.decode(good["id_token"], options={"verify_signature": False})
    header = jwt.get_unverified_header(good["id_token"])
    mine = rsa.generate_private_key(65537, 2048)
    for hint in (
        "nonsense",
        "a.b.c",
        "..",
        good["id_token"][:-4] + "AAAA",
        good["access_token"],
        good["refresh_token"],
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, mine, algorithm="RS256", headers={"kid": header["kid"]}),
        jwt.encode(claims, mine, algorithm="RS256"),
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": header["kid"]}),
        "x" * 100_000,
    ):
        response = ask(browser, id_token_hint=hint, post_logout_redirect_uri=GOODBYE)
        assert (response.status_code, is_logged_in(browser)) == (400, True)


def test_a_hint_of_another_client_than_the_one_named_is_refused(
    browser: Client, somebody: User, notebook: Application
) -> None:
    hint = tokens(somebody, notebook)["id_token"]
    response = ask(browser, id_token_hint=hint, client_id="jhe-mcp-stdio")
    assert (response.status_code, is_logged_in(browser)) == (400, True)


@pytest.mark.parametrize("client_id", ["nobody", "x" * 5_000, "https://127.0.0.1/client.json"])
def test_a_client_that_is_not_known_is_refused(browser: Client, client_id: str, db: None) -> None:
    assert ask(browser, client_id=client_id, post_logout_redirect_uri=GOODBYE).status_code == 400
    assert is_logged_in(browser)


def test_without_an_address_it_ends_on_our_own_page_whatever_the_host_header_says(
    browser: Client, somebody: User, notebook: Application
) -> None:
    hint = tokens(somebody, notebook)["id_token"]
    response = browser.get("/o/logout/", {"id_token_hint": hint}, headers={"Host": "127.0.0.1:9999"})
    assert response["Location"] == "/"


def test_discovery_says_where(db: None) -> None:
    said = Client().get("/.well-known/openid-configuration").json()
    assert said["end_session_endpoint"] == f"{settings.BASE_URL}/o/logout/"
