"""Being asked again, or not: remembered consents, `prompt` and `max_age` (OpenID Connect Core §3.1.2.1)."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import Application, Grant

from core.actions.client_consents import withdraw
from core.models import ClientConsent, User
from tests import personas
from tests.factories import UserFactory
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"
SECRET = {"client_id": "cohort-notebook", "redirect_uri": CALLBACK, "client_secret": "a secret of the notebook"}


@pytest.fixture
def browser(mary: User, web_app: Application) -> Client:
    return browser_of(mary)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def ask(browser: Client, **changes) -> HttpResponse:
    return flow.ask(browser, **{"client_id": "cohort-notebook", "redirect_uri": CALLBACK, **changes})


def agree(browser: Client, **changes) -> dict[str, str]:
    return said(flow.answer(ask(browser, **changes)))


def said(response: HttpResponse) -> dict[str, str]:
    assert response.status_code == 302, response.content
    assert response["Location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


# Remembered


@pytest.mark.parametrize("again", [{}, {"scope": "openid"}, {"prompt": "none"}, {"scope": "mcp", "prompt": "none"}])
def test_who_asks_again_for_no_more_is_not_asked_about(browser: Client, again: dict[str, str]) -> None:
    agree(browser, scope="openid email mcp")
    answer = said(ask(browser, **again))
    assert answer.keys() == {"code", "state", "iss"}
    assert flow.redeem(answer["code"], **SECRET).json()["scope"] == again.get("scope", "openid mcp")


@pytest.mark.parametrize(
    "more",
    [
        {"scope": "openid mcp email"},
        {"resource": settings.BASE_URL},
        {"resource": [settings.MCP_URL, settings.BASE_URL]},
        {"resource": None},
        {"prompt": "consent"},
        {"prompt": "select_account"},
    ],
)
def test_who_asks_for_more_or_wants_it_asked_is_asked_about(browser: Client, more: dict) -> None:
    agree(browser)
    assert ask(browser, **more).status_code == 200
    if "prompt" not in more:
        assert said(ask(browser, **more, prompt="none"))["error"] == "consent_required"


def test_a_narrowing_is_remembered_with_its_consent(browser: Client) -> None:
    study = personas.study_of(personas.BP)
    said(flow.answer(ask(browser), reached=[study.pk]))
    tokens = flow.redeem(said(ask(browser))["code"], **SECRET).json()
    assert flow.verified(tokens["access_token"], settings.MCP_URL)["jhe_permissions"]["studies"] == [study.pk]
    assert len({consent.narrowing_id for consent in ClientConsent.objects.all()}) == 1


def test_a_scope_that_was_unticked_is_asked_for_again(browser: Client) -> None:
    said(flow.answer(ask(browser, scope="openid mcp email"), scopes=[]))
    assert ask(browser, scope="openid mcp email").status_code == 200


def test_a_withdrawn_consent_is_not_remembered(browser: Client, mary: User, web_app: Application) -> None:
    agree(browser)
    withdraw(actor=personas.principal_of(mary), door="test", user=mary, application=web_app)
    assert ask(browser).status_code == 200
    assert said(ask(browser, prompt="none"))["error"] == "consent_required"


def test_nobody_elses_consent_counts(browser: Client) -> None:
    agree(browser)
    assert ask(browser_of(UserFactory())).status_code == 200


def test_a_consent_to_one_client_is_none_to_another(browser: Client) -> None:
    agree(browser)
    Application.objects.create(
        name="Cohort Notebook",
        client_id="an-imitation",
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=CALLBACK,
    )
    assert ask(browser, client_id="an-imitation").status_code == 200


@pytest.mark.parametrize("prompt", [None, "none"])
def test_programs_on_a_computer_are_asked_about_every_time(browser: Client, prompt: str | None) -> None:
    """RFC 8252 §8.6: any program there can call itself this client."""
    flow.said(flow.answer(flow.ask(browser)))
    response = flow.ask(browser, prompt=prompt)
    if prompt:
        assert flow.said(response)["error"] == "consent_required"
    else:
        assert response.status_code == 200


def test_the_librarys_way_around_the_question_is_none(browser: Client) -> None:
    flow.redeem(flow.said(flow.answer(flow.ask(browser)))["code"])
    assert flow.ask(browser, approval_prompt="auto").status_code == 200


def test_a_redirect_that_a_client_has_only_now_is_asked_about(browser: Client, web_app: Application) -> None:
    agree(browser)
    other = "https://notebook.example.org/other"
    Application.objects.filter(pk=web_app.pk).update(redirect_uris=f"{CALLBACK} {other}")
    assert ask(browser, redirect_uri=other).status_code == 200


def test_a_login_that_is_repeated_leaves_no_pile_of_consents(browser: Client) -> None:
    agree(browser)
    ClientConsent.objects.update(given=timezone.now() - timedelta(hours=2))
    for _ in range(3):
        said(ask(browser))
        ClientConsent.objects.update(given=timezone.now() - timedelta(hours=2))
    assert ClientConsent.objects.count() == 1
    said(ask(browser, scope="openid"))
    assert {consent.scope for consent in ClientConsent.objects.all()} == {"openid mcp", "openid"}


# prompt=none


def test_nobody_is_logged_in_silently(browser: Client) -> None:
    answer = said(ask(Client(), prompt="none"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", flow.STATE, settings.BASE_URL)


def test_a_silent_refusal_goes_to_no_address_that_is_not_registered(db: None) -> None:
    response = flow.ask(Client(), prompt="none", redirect_uri="https://evil.example.org/callback")
    assert response.status_code == 400
    assert "Location" not in response


@pytest.mark.parametrize("scope", ["openid mcp", "mcp"])
@pytest.mark.parametrize("prompt", ["none login", "consent none"])
def test_silence_goes_with_nothing_else(browser: Client, prompt: str, scope: str) -> None:
    assert said(ask(browser, prompt=prompt, scope=scope))["error"] == "invalid_request"


# prompt=login, max_age, auth_time


@pytest.mark.parametrize("again", [{"prompt": "login"}, {"prompt": "login consent"}, {"max_age": "0"}])
def test_a_client_can_have_somebody_log_in_again(browser: Client, mary: User, again: dict[str, str]) -> None:
    agree(browser)
    both = [settings.MCP_URL, settings.BASE_URL]
    page = ask(browser, **again, resource=both)
    assert "Log in again" in page.content.decode()
    assert "_auth_user_id" in browser.session
    response = press(page, "login_again")
    assert response.status_code == 302
    assert urlsplit(response["Location"]).path == urlsplit(Client().get("/o/authorize/")["Location"]).path
    back = parse_qs(urlsplit(response["Location"]).query)["next"][0]
    asked = parse_qs(urlsplit(back).query)
    assert asked["resource"] == both
    assert asked.get("prompt") == (["consent"] if "consent" in again.get("prompt", "") else None)
    assert "_auth_user_id" not in browser.session
    browser.force_login(mary)
    assert browser.get(back).status_code == 200


def press(page: HttpResponse, button: str) -> HttpResponse:
    return page.client.post(page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {button: "on"})


def test_no_other_site_logs_somebody_out(mary: User, web_app: Application) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mary)
    page = ask(browser, prompt="login")
    assert (page.status_code, press(page, "login_again").status_code) == (200, 403)
    assert "_auth_user_id" in browser.session


def test_who_does_not_log_in_again_goes_back_with_a_refusal(browser: Client) -> None:
    assert said(press(ask(browser, prompt="login"), "cancel"))["error"] == "access_denied"
    assert "_auth_user_id" in browser.session


def test_a_recent_login_is_good_enough(browser: Client) -> None:
    assert ask(browser, max_age="3600").status_code == 200


def test_a_login_on_another_machine_does_not_make_this_one_fresh(browser: Client, mary: User) -> None:
    session = browser.session
    session["authenticated_at"] -= 7200
    session.save()
    browser_of(mary)
    assert said(ask(browser, max_age="3600", prompt="none"))["error"] == "login_required"
    assert "Log in again" in ask(browser, max_age="3600").content.decode()


@pytest.mark.parametrize("max_age", ["-1", "x", "1e3", "", "9" * 40, "٣"])
def test_an_age_that_is_no_number_is_refused(browser: Client, max_age: str) -> None:
    assert said(ask(browser, max_age=max_age))["error"] == "invalid_request"


def test_id_tokens_say_when_their_person_logged_in_also_after_a_refresh(browser: Client, mary: User) -> None:
    session = browser.session
    session["authenticated_at"] -= 1800
    session.save()
    when = session["authenticated_at"]
    given = flow.redeem(agree(browser)["code"], **SECRET).json()
    User.objects.filter(pk=mary.pk).update(last_login=timezone.now())
    renewed = flow.refresh(given["refresh_token"], **SECRET).json()
    for tokens in (given, renewed):
        assert flow.verified(tokens["id_token"], "cohort-notebook")["auth_time"] == when


def test_the_link_to_another_account_leads_to_the_login_and_back(browser: Client) -> None:
    page = ask(browser).content.decode()
    link = re.search(r'href="(\?[^"]+)">Use another account', page)[1].replace("&amp;", "&")
    response = press(browser.get(f"/o/authorize/{link}"), "login_again")
    assert response.status_code == 302
    assert "/o/authorize/" in response["Location"]
    assert not Grant.objects.exists()
